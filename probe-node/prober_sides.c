/* SPDX-License-Identifier: MIT */
/*
 * Side probes of a job: when each of them starts, what it may cost, and the vantage's references,
 * which all jobs share because their result says nothing about any target.
 */
#include <string.h>

#include "common/text.h"
#include "probe-node/prober_job.h"
#include "probe-node/probes/net.h"
#include "probe-node/probes/net_connect.h"

/* Younger results of a reference are used again; so it is polite to the reference, too. */
#define REFERENCE_AGE_MAX (6 * PX_SEC)
/* SYNs of one trace that the target may answer. */
#define TRACE_LOOKS 2

static unsigned looks_left(const struct prober_job *j, uint16_t port)
{
    return budget_allows_looks(j->prober->budget, &j->obs.address, port, px_wall_now(), NULL);
}

static void add_looks(const struct prober_job *j, uint16_t port, unsigned n)
{
    while (n-- > 0)
        budget_add_look(j->prober->budget, &j->obs.address, port, px_wall_now());
}

/* Sides that silence called for end with the look whose silence it was. */
static struct probe_request side_request(const struct prober_job *j, bool if_silent)
{
    struct probe_request request = prober_job_request(j);
    px_mono limit = j->looked_at + NET_CONNECT_LIMIT;

    if (if_silent && limit < request.deadline)
        request.deadline = limit;
    return request;
}

/* ---- references ---- */

/* Hand the result of a reference to the jobs that wait for it. */
static void share_reference(struct prober *p, size_t index)
{
    struct prober_job *next, *j = TAILQ_FIRST(&p->jobs);

    for (; j != NULL; j = next) {
        next = TAILQ_NEXT(j, link);
        if (!(j->references_due & (1u << index)))
            continue;
        j->references_due &= ~(1u << index);
        j->obs.references[index].code = p->known.references[index].code;
        prober_job_settle(j);
    }
}

static void reference_on_done(void *arg, struct probe *probe)
{
    struct prober_reference *r = arg;

    r->probe = NULL;
    r->known_at = px_mono_now();
    probe_find("reference")->free(probe);
    share_reference(r->prober, (size_t)(r - r->prober->references));
}

/* The result is for all, so it does not matter how little time the first job has that asks. */
static void start_reference(struct prober *p, size_t index, px_mono deadline)
{
    struct prober_reference *r = &p->references[index];
    px_mono now = px_mono_now(), least = now + NET_CONNECT_LIMIT - PROBER_SILENCE;
    const struct probe_request request = {
        .source = p->options.source,
        .fd = -1,
        .origin = now,
        .deadline = deadline > least ? deadline : least,
        .reference = &p->options.references[index],
        .slot = (uint32_t)index,
    };

    r->probe = probe_find("reference")->start(p->base, &request, &p->known, reference_on_done, r);
    if (r->probe == NULL)
        r->known_at = now;
}

static bool is_fresh(const struct prober_reference *r, px_mono now)
{
    return r->known_at > 0 && now - r->known_at < REFERENCE_AGE_MAX;
}

static void want_references(struct prober_job *j, px_mono deadline)
{
    struct prober *p = j->prober;
    px_mono now = px_mono_now();

    j->obs.reference_count = p->options.reference_count;
    for (uint32_t i = 0; i < p->options.reference_count; i++) {
        struct prober_reference *r = &p->references[i];
        (void)px_text_copy(j->obs.references[i].name, sizeof(j->obs.references[i].name),
                           p->options.references[i].name);
        if (r->probe == NULL && !is_fresh(r, now))
            start_reference(p, i, deadline);
        if (r->probe != NULL)
            j->references_due |= 1u << i;
        else
            j->obs.references[i].code = p->known.references[i].code;
    }
}

void prober_references_cancel(struct prober *p)
{
    for (size_t i = 0; i < PX_REFERENCES_MAX; i++) {
        if (p->references[i].probe != NULL)
            probe_find("reference")->cancel(p->references[i].probe);
        p->references[i].probe = NULL;
    }
}

/* ---- echo, control, trace ---- */

static void start_part(struct prober_part *part, const char *probe,
                       const struct probe_request *request, bool if_silent)
{
    part->if_silent = if_silent;
    (void)prober_part_start(part, probe, request);
}

static void start_controls(struct prober_job *j, bool if_silent)
{
    struct probe_request request = side_request(j, if_silent);

    j->obs.control_count = j->job.control_count;
    for (uint32_t i = 0; i < j->job.control_count; i++) {
        request.slot = i;
        request.port = j->job.control_ports[i];
        j->obs.controls[i].port = request.port;
        if (!prober_consents(j->prober, &j->obs.address, request.port)) {
            j->obs.controls[i].code = PX_CODE_POLICY;
            continue;
        }
        if (looks_left(j, request.port) == 0) {
            j->obs.controls[i].code = PX_CODE_LIMITED;
            continue;
        }
        add_looks(j, request.port, 1);
        start_part(prober_job_part(j, PART_CONTROL, i), "control", &request, if_silent);
    }
}

/* An answering port answers some of the trace's SYNs; politeness must have room for them. */
static void start_trace(struct prober_job *j, bool answering, bool if_silent)
{
    struct prober_part *part = prober_job_part(j, PART_TRACE, 0);
    struct probe_request request = side_request(j, if_silent);

    j->trace_due = false;
    if (request.port == 0 || (answering && looks_left(j, request.port) < TRACE_LOOKS))
        return;
    request.answering = answering;
    request.connected = &part->connected;
    start_part(part, "trace", &request, if_silent);
}

static void start_sides(struct prober_job *j, uint32_t sides, bool if_silent)
{
    struct probe_request request = side_request(j, if_silent);

    if ((sides & PX_SIDE_ECHO) && j->job.target.scheme != PX_SCHEME_ICMP)
        start_part(prober_job_part(j, PART_ECHO, 0), "echo", &request, if_silent);
    if (sides & PX_SIDE_CONTROL)
        start_controls(j, if_silent);
}

/* ---- when ---- */

void prober_sides_begin(struct prober_job *j)
{
    if (j->job.sides & PX_SIDE_REFERENCE)
        want_references(j, j->deadline);
}

void prober_sides_start(struct prober_job *j)
{
    start_sides(j, j->job.sides, false);
    j->trace_due = (j->job.sides & PX_SIDE_TRACE) != 0;
}

void prober_sides_on_silence(struct prober_job *j)
{
    uint32_t sides = j->job.sides_if_silent & ~j->job.sides;

    start_sides(j, sides, true);
    if (j->trace_due || (sides & PX_SIDE_TRACE))
        start_trace(j, false, !j->trace_due);
    if (sides & PX_SIDE_REFERENCE) {
        j->references_if_silent = true;
        want_references(j, j->looked_at + NET_CONNECT_LIMIT);
    }
}

void prober_sides_on_answer(struct prober_job *j)
{
    const struct px_attempt *first = &j->obs.attempts[0];
    bool looks_wanted = j->job.ladder || j->job.repeats > 0;

    if (!j->trace_due)
        return;
    if (j->obs.address.family != 0 && !looks_wanted)
        start_trace(j, true, false); /* nothing is known of the port: be careful */
    else if (j->obs.attempt_count == 0 || px_code_kind(first->code) == PX_KIND_VANTAGE)
        j->trace_due = false;
    else if (first->code != PX_CODE_UNKNOWN)
        start_trace(j, net_is_from_target(first, &j->obs.address), false);
}

/* Once for each part, whether it ended or was stopped. */
void prober_part_book(struct prober_part *part)
{
    struct prober_job *j = part->job;

    if (part->kind == PART_TRACE)
        add_looks(j, j->job.target.port, part->connected.answered);
    for (; part->connected.noticed > 0; part->connected.noticed--)
        prober_job_add_strike(j);
    part->connected.answered = 0;
}

void prober_sides_drop(struct prober_job *j)
{
    for (size_t i = 0; i < j->part_count; i++) {
        if (j->parts[i].if_silent)
            prober_part_cancel(&j->parts[i]);
    }
    if (j->references_if_silent)
        j->references_due = 0;
}
