/* SPDX-License-Identifier: MIT */
/*
 * From the common start to the one observation: what runs after what, and what politeness allows.
 * Decides nothing about the target; the probes write what they saw.
 *
 *   wait --> dns --> slot --> tcp --> ssh --> rest --> done
 *                 \_______/      \__________/
 *                 \-> echo (icmp targets) __/
 */
#include "probe-node/prober_job.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/text.h"
#include "probe-node/probes/net.h"
#include "probe-node/probes/net_connect.h"

#define TIMEOUT_DEFAULT_MS 20000
/* Probes end so long before the job, that their evidence is in the result. */
#define MARGIN (20 * PX_MS)
/* After a refusal text no handshake for so long. */
#define PAUSE (60 * PX_SEC)

static const struct {
    const char *name;
    enum px_stage stage; /* opened in the observation; NONE = leave it */
} states[] = {
    [PROBER_ST_WAIT] = {"wait", PX_STAGE_NONE}, [PROBER_ST_DNS] = {"dns", PX_STAGE_DNS},
    [PROBER_ST_SLOT] = {"slot", PX_STAGE_TCP},  [PROBER_ST_TCP] = {"tcp", PX_STAGE_TCP},
    [PROBER_ST_SSH] = {"ssh", PX_STAGE_BANNER}, [PROBER_ST_ECHO] = {"echo", PX_STAGE_ECHO},
    [PROBER_ST_REST] = {"rest", PX_STAGE_NONE}, [PROBER_ST_DONE] = {"done", PX_STAGE_NONE},
};
_Static_assert(sizeof(states) / sizeof(states[0]) == PROBER_ST_COUNT, "a row for every state");

static void on_timer(evutil_socket_t fd, short what, void *arg);

/* The only writer of the state; also opens the stage in the observation. */
static void x_enter(struct prober_job *j, enum prober_state state, const char *why)
{
    px_log(PX_LOG_DEBUG, "job %s/%llu: %s -> %s, %s", j->job.run_id, (unsigned long long)j->job.id,
           states[j->state].name, states[state].name, why);
    j->state = state;
    if (states[state].stage != PX_STAGE_NONE)
        j->obs.stage = states[state].stage;
}

static void arm(struct prober_job *j, px_mono now)
{
    px_mono due = j->origin == 0 ? j->start_at : j->deadline;
    struct timeval tv;

    if (j->silent_at > 0 && j->silent_at < due)
        due = j->silent_at;
    tv = net_wait(now, due);
    (void)event_add(&j->timer, &tv);
}

/* ---- the end ---- */

static void leave_slot(struct prober_job *j)
{
    if (!j->slot)
        return;
    j->slot = false;
    prober_handshake_return(j->prober);
}

static void write_strikes(struct prober_job *j)
{
    struct budget *b = j->prober->budget;
    const struct px_job *job = &j->job;
    px_wall now = px_wall_now();
    int64_t wait = 0;

    if (job->target.scheme != PX_SCHEME_SSH || j->obs.address.family == 0)
        return;
    j->obs.strikes_used = budget_strikes_used(b, &j->obs.address, job->target.port, now);
    j->obs.strikes_max = budget_strikes_max(b);
    if (!budget_allows_strike(b, &j->obs.address, job->target.port, now, &wait))
        j->obs.strikes_next_ms = (wait + PX_MS - 1) / PX_MS;
}

/* What was stopped before it had a result is none. */
static void drop_empty(struct px_observation *obs)
{
    uint32_t controls = 0, references = 0;

    for (uint32_t i = 0; i < obs->control_count; i++) {
        if (obs->controls[i].code != PX_CODE_UNKNOWN)
            obs->controls[controls++] = obs->controls[i];
    }
    obs->control_count = controls;
    for (uint32_t i = 0; i < obs->reference_count; i++) {
        if (obs->references[i].code != PX_CODE_UNKNOWN)
            obs->references[references++] = obs->references[i];
    }
    obs->reference_count = references;
}

static void stop(struct prober_job *j)
{
    for (size_t i = 0; i < j->part_count; i++)
        prober_part_cancel(&j->parts[i]);
    if (j->state == PROBER_ST_SLOT)
        TAILQ_REMOVE(&j->prober->waiting, j, waiting);
    leave_slot(j);
    (void)event_del(&j->timer);
}

static void unlink_job(struct prober_job *j)
{
    TAILQ_REMOVE(&j->prober->jobs, j, link);
    j->prober->busy--;
}

void prober_job_free(struct prober_job *j)
{
    stop(j);
    unlink_job(j);
    free(j);
}

/* The one exit. Nothing may touch j afterwards. */
static void x_finish(struct prober_job *j, enum px_code code, const char *why)
{
    px_mono now = px_mono_now();

    stop(j);
    if (code != PX_CODE_UNKNOWN)
        j->obs.code = code;
    x_enter(j, PROBER_ST_DONE, why);
    if (j->origin > 0) {
        j->obs.took_ms = net_ms(j->origin, now);
        j->obs.lag_ms = prober_lag(j->prober, j->ticks, now);
    }
    write_strikes(j);
    drop_empty(&j->obs);
    unlink_job(j);
    j->done(j->arg, &j->job, &j->obs);
    free(j);
}

static bool is_anything_due(const struct prober_job *j)
{
    for (size_t i = 0; i < j->part_count; i++) {
        if (j->parts[i].probe != NULL)
            return true;
    }
    return j->trace_due || j->references_due != 0;
}

void prober_job_settle(struct prober_job *j)
{
    enum px_code first = j->obs.attempts[0].code;

    if (j->state != PROBER_ST_REST || j->ended != PX_CODE_UNKNOWN)
        return;
    if (first != PX_CODE_UNKNOWN && first != PX_CODE_NO_ANSWER)
        prober_sides_drop(j);
    if (!is_anything_due(j))
        x_finish(j, PX_CODE_UNKNOWN, "complete");
}

void prober_job_end(struct prober_job *j, enum px_code code)
{
    for (size_t i = 0; i < j->part_count; i++)
        prober_part_cancel(&j->parts[i]);
    j->ended = code;
    event_active(&j->timer, EV_TIMEOUT, 0);
}

/* ---- parts ---- */

struct prober_part *prober_job_part(struct prober_job *j, enum prober_part_kind kind, uint32_t n)
{
    for (uint32_t i = 0; i < j->part_count; i++) {
        if (j->parts[i].kind == kind && n-- == 0)
            return &j->parts[i];
    }
    assert(false);
    return NULL;
}

struct probe_request prober_job_request(const struct prober_job *j)
{
    const struct px_addr *source = &j->prober->options.source;
    px_mono margin = (px_mono)j->job.timeout_ms * PX_MS / 10;
    struct probe_request request = {
        .target = &j->job.target,
        .address = j->obs.address,
        .port = j->job.target.port,
        .depth = j->obs.depth,
        .fd = -1,
        .origin = j->origin,
        .deadline = j->deadline - (margin < MARGIN ? margin : MARGIN),
    };

    if (source->family == request.address.family)
        request.source = *source;
    return request;
}

static void on_ladder(struct prober_job *j);

static void part_on_done(void *arg, struct probe *probe)
{
    struct prober_part *part = arg;
    struct prober_job *j = part->job;

    part->probe = NULL;
    part->ops->free(probe);
    prober_part_book(part);
    if (part->kind == PART_LADDER)
        on_ladder(j);
    else
        prober_sides_on_answer(j);
    prober_job_settle(j);
}

bool prober_part_start(struct prober_part *part, const char *probe,
                       const struct probe_request *request)
{
    struct prober_job *j = part->job;

    part->ops = probe_find(probe);
    part->probe = part->ops->start(j->prober->base, request, &j->obs, part_on_done, part);
    return part->probe != NULL;
}

void prober_part_cancel(struct prober_part *part)
{
    if (part->probe == NULL)
        return;
    part->ops->cancel(part->probe);
    part->probe = NULL;
    prober_part_book(part);
}

/* ---- looks ---- */

void prober_job_add_strike(struct prober_job *j)
{
    if (j->job.target.scheme == PX_SCHEME_SSH)
        budget_add_strike(j->prober->budget, &j->obs.address, j->job.target.port, px_wall_now());
}

static bool allows_strike(struct prober_job *j)
{
    return budget_allows_strike(j->prober->budget, &j->obs.address, j->job.target.port,
                                px_wall_now(), NULL);
}

/* One TCP connect; false if it has ended already. */
static bool start_look(struct prober_job *j, struct prober_part *part, uint32_t slot)
{
    struct probe_request request = prober_job_request(j);

    bool started;

    request.slot = slot;
    request.connected = &part->connected;
    j->obs.attempt_count = slot + 1;
    started = prober_part_start(part, "tcp", &request);
    /* What failed on our own side never reached the port. */
    if (started || px_code_kind(j->obs.attempts[slot].code) != PX_KIND_VANTAGE)
        budget_add_look(j->prober->budget, &j->obs.address, j->job.target.port, px_wall_now());
    return started;
}

static void start_repeats(struct prober_job *j, uint32_t first, uint32_t allowed)
{
    uint32_t n = j->job.repeats;

    if (n > allowed) {
        n = allowed;
        j->obs.limited = true;
    }
    for (uint32_t i = 0; i < n; i++)
        (void)start_look(j, prober_job_part(j, PART_REPEAT, i), first + i);
}

/* Look at the port: the ladder's connect and the repeats at the same time. */
static void start_looks(struct prober_job *j)
{
    uint32_t allowed = budget_allows_looks(j->prober->budget, &j->obs.address, j->job.target.port,
                                           px_wall_now(), NULL);
    struct prober_part *ladder = &j->parts[0];
    uint32_t first = j->job.ladder ? 1 : 0;
    bool climbing = false;

    x_enter(j, PROBER_ST_TCP, "address known");
    j->looked_at = px_mono_now();
    if (allowed == 0 || first + j->job.repeats == 0) {
        j->obs.limited = allowed == 0;
        j->obs.code = allowed == 0 ? PX_CODE_LIMITED : PX_CODE_NOT_RUN;
    } else {
        if (j->slot || j->trace_due || j->job.sides_if_silent != 0)
            j->silent_at = j->looked_at + PROBER_SILENCE;
        j->cut = j->deep && !allows_strike(j);
        ladder->connected.wanted = j->deep && !j->cut;
        climbing = first > 0 && start_look(j, ladder, 0);
        start_repeats(j, first, allowed - first);
    }
    if (first == 0)
        x_enter(j, PROBER_ST_REST, "only looks");
    else if (!climbing)
        on_ladder(j);
    prober_sides_on_answer(j);
}

/* Handshakes are limited, so that their times stay honest. */
static void try_slot(struct prober_job *j)
{
    if (!prober_handshake_take(j->prober)) {
        if (j->state != PROBER_ST_SLOT)
            TAILQ_INSERT_TAIL(&j->prober->waiting, j, waiting);
        if (j->state != PROBER_ST_SLOT)
            x_enter(j, PROBER_ST_SLOT, "all handshakes taken");
        return;
    }
    if (j->state == PROBER_ST_SLOT)
        TAILQ_REMOVE(&j->prober->waiting, j, waiting);
    j->slot = true;
    prober_handshake_offer(j->prober);
    start_looks(j);
}

/* ---- the ladder ---- */

static void on_address(struct prober_job *j)
{
    struct probe_request request = prober_job_request(j);

    if (!prober_consents(j->prober, &j->obs.address, j->job.target.port)) {
        prober_job_end(j, PX_CODE_POLICY);
        return;
    }
    prober_sides_start(j);
    if (j->job.target.scheme == PX_SCHEME_ICMP) {
        x_enter(j, PROBER_ST_ECHO, "address known");
        if (!prober_part_start(&j->parts[0], "echo", &request))
            on_ladder(j);
    } else if (j->deep) {
        try_slot(j);
    } else {
        start_looks(j);
    }
}

static void start_ladder(struct prober_job *j)
{
    struct probe_request request = prober_job_request(j);

    if (j->obs.address.family != 0) {
        on_address(j);
        return;
    }
    x_enter(j, PROBER_ST_DNS, "a name");
    if (!prober_part_start(&j->parts[0], "dns", &request))
        on_ladder(j);
}

static void after_dns(struct prober_job *j)
{
    if (j->obs.code != PX_CODE_OK) {
        x_enter(j, PROBER_ST_REST, "no address");
        prober_sides_on_answer(j);
        return;
    }
    j->obs.code = PX_CODE_UNKNOWN;
    on_address(j);
}

/* Deeper on the same connection. The socket is the ssh probe's in any case. */
static void start_ssh(struct prober_job *j, int fd)
{
    struct probe_request request = prober_job_request(j);

    prober_job_add_strike(j);
    request.fd = fd;
    if (!j->slot) /* given back while the target was silent */
        j->prober->handshakes++;
    j->slot = true;
    x_enter(j, PROBER_ST_SSH, "connected");
    if (!prober_part_start(&j->parts[0], "ssh", &request))
        on_ladder(j);
}

static void after_tcp(struct prober_job *j)
{
    struct probe_connected *connected = &j->parts[0].connected;

    prober_sides_on_answer(j);
    if (j->obs.code == PX_CODE_OK && connected->wanted && allows_strike(j)) {
        start_ssh(j, connected->fd);
        return;
    }
    if (j->obs.code == PX_CODE_OK && connected->wanted) {
        /* Others have used the budget up meanwhile; sshd may have seen this one, too. */
        net_close_reset(connected->fd);
        prober_job_add_strike(j);
        j->cut = true;
    }
    if (j->obs.code == PX_CODE_OK && j->cut)
        j->obs.limited = true;
    leave_slot(j);
    x_enter(j, PROBER_ST_REST, px_code_name(j->obs.code));
}

static void after_ssh(struct prober_job *j)
{
    if (j->obs.code == PX_CODE_REFUSAL_TEXT && (strstr(j->obs.text, "Exceeded MaxStartups") ||
                                                strstr(j->obs.text, "Not allowed at this time")))
        budget_pause(j->prober->budget, &j->obs.address, j->job.target.port, px_wall_now() + PAUSE);
    leave_slot(j);
    x_enter(j, PROBER_ST_REST, px_code_name(j->obs.code));
}

static void after_echo(struct prober_job *j)
{
    j->obs.code = j->obs.echo.code;
    j->obs.icmp = j->obs.echo.icmp;
    if (j->obs.code == PX_CODE_OK)
        j->obs.ms[PX_STAGE_ECHO] = net_ms(j->origin, px_mono_now());
    x_enter(j, PROBER_ST_REST, px_code_name(j->obs.code));
    prober_sides_on_answer(j);
}

/* The ladder's probe has ended. */
static void on_ladder(struct prober_job *j)
{
    static void (*const after[PROBER_ST_COUNT])(struct prober_job *) = {
        [PROBER_ST_DNS] = after_dns,
        [PROBER_ST_TCP] = after_tcp,
        [PROBER_ST_SSH] = after_ssh,
        [PROBER_ST_ECHO] = after_echo,
    };

    after[j->state](j);
}

/* ---- time ---- */

static void begin(struct prober_job *j, px_mono now)
{
    j->origin = now;
    j->obs.started = px_wall_now();
    j->obs.skew_ms = net_ms(j->start_at, now);
    prober_sides_begin(j);
    start_ladder(j);
}

static void on_deadline(struct prober_job *j)
{
    enum px_code code = PX_CODE_UNKNOWN;

    if (j->state == PROBER_ST_SLOT)
        code = PX_CODE_EXHAUSTED;
    else if (j->state != PROBER_ST_REST || j->obs.code == PX_CODE_UNKNOWN)
        code = PX_CODE_NOT_RUN;
    x_finish(j, code, "out of time");
}

static void on_silence(struct prober_job *j)
{
    j->silent_at = 0;
    if (j->obs.attempts[0].code != PX_CODE_UNKNOWN)
        return;
    leave_slot(j);
    prober_sides_on_silence(j);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct prober_job *j = arg;
    px_mono now = px_mono_now();

    (void)fd;
    (void)what;
    if (j->ended != PX_CODE_UNKNOWN) {
        x_finish(j, j->ended, px_code_name(j->ended));
        return;
    }
    if (j->origin > 0 && now >= j->deadline) {
        on_deadline(j);
        return;
    }
    if (j->origin == 0 && now >= j->start_at)
        begin(j, now);
    else if (j->state == PROBER_ST_SLOT)
        try_slot(j);
    if (j->silent_at > 0 && now >= j->silent_at)
        on_silence(j);
    arm(j, now);
    prober_job_settle(j);
}

/* What this version can probe of what was asked. */
static enum px_stage depth_of(const struct px_job *job)
{
    if (job->target.scheme == PX_SCHEME_ICMP)
        return PX_STAGE_ECHO;
    if (job->target.scheme != PX_SCHEME_SSH || !job->ladder || job->depth <= PX_STAGE_TCP)
        return PX_STAGE_TCP;
    return job->depth < PX_STAGE_HOSTKEY ? job->depth : PX_STAGE_HOSTKEY;
}

static void write_head(struct prober_job *j)
{
    const struct px_job *job = &j->job;

    px_observation_init(&j->obs);
    memcpy(j->obs.run_id, job->run_id, sizeof(j->obs.run_id));
    j->obs.job_id = job->id;
    j->obs.round = job->round;
    j->obs.depth = depth_of(job);
    j->obs.started = px_wall_now();
    j->obs.address = job->address.family != 0 ? job->address : job->target.literal;
}

static void add_parts(struct prober_job *j, enum prober_part_kind kind, uint32_t n)
{
    while (n-- > 0) {
        j->parts[j->part_count].job = j;
        j->parts[j->part_count++].kind = kind;
    }
}

/* A job with room for every probe it may start. */
static struct prober_job *new_job(const struct px_job *job)
{
    uint32_t sides = job->sides | job->sides_if_silent;
    uint32_t repeats = job->repeats < PX_REPEATS_MAX ? job->repeats : PX_REPEATS_MAX;
    uint32_t controls = job->control_count < PX_CONTROLS_MAX ? job->control_count : PX_CONTROLS_MAX;
    uint32_t n = 1 + repeats + (sides != 0 ? 2 + controls : 0);
    struct prober_job *j = px_xcalloc(1, sizeof(*j) + n * sizeof(j->parts[0]));

    j->job = *job;
    j->job.repeats = repeats;
    j->job.control_count = controls;
    if (j->job.timeout_ms == 0)
        j->job.timeout_ms = TIMEOUT_DEFAULT_MS;
    add_parts(j, PART_LADDER, 1);
    add_parts(j, PART_REPEAT, repeats);
    if (sides != 0) {
        add_parts(j, PART_ECHO, 1);
        add_parts(j, PART_TRACE, 1);
        add_parts(j, PART_CONTROL, controls);
    }
    return j;
}

void prober_job_start(struct prober *p, const struct px_job *job, prober_done *done, void *arg)
{
    struct prober_job *j = new_job(job);
    px_mono now = px_mono_now();

    j->prober = p;
    j->done = done;
    j->arg = arg;
    j->start_at = now + job->start_in_ms * PX_MS;
    j->deadline = j->start_at + j->job.timeout_ms * PX_MS;
    j->ticks = p->ticks;
    write_head(j);
    j->deep = j->obs.depth >= PX_STAGE_BANNER && j->obs.depth <= PX_STAGE_HOSTKEY;
    if (p->busy >= p->options.jobs_max)
        j->ended = PX_CODE_EXHAUSTED;
    else if (j->deep && probe_find("ssh")->prepare != NULL)
        probe_find("ssh")->prepare();
    TAILQ_INSERT_TAIL(&p->jobs, j, link);
    p->busy++;
    (void)event_assign(&j->timer, p->base, -1, 0, on_timer, j);
    if (job->start_in_ms == 0 || j->ended != PX_CODE_UNKNOWN)
        event_active(&j->timer, EV_TIMEOUT, 0); /* not from here: done may come at once */
    else
        arm(j, now);
}
