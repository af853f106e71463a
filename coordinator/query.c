/* SPDX-License-Identifier: MIT */
/*
 * What users may ask. Each function reads one message, says everything that is wrong with it in
 * words a person can act on, and answers or starts what will answer.
 */
#include "coordinator/query.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/text.h"
#include "coordinator/select.h"

#define LIST_PART 32 /* nodes per message: stays below the limit with all labels used */

_Static_assert(LIST_PART <= WIRE_NODES_MAX, "a part is a legal list");

/* ---- check ---- */

/* The mesh as candidates for a selector: "here" first if the asker takes part, then by name. */
struct candidates {
    struct px_vantage *vantages;
    link_peer *peers;
    size_t count;
};

static int compare_names(const void *a, const void *b)
{
    const struct node *x = *(const struct node *const *)a, *y = *(const struct node *const *)b;
    return strcmp(x->name, y->name);
}

/* All nodes that are not revoked, by name; heap, *count of them. */
static const struct node **nodes_sorted(const struct nodes *nodes, bool revoked, size_t *count)
{
    const struct node **list = px_xcalloc(nodes_count(nodes) + 1, sizeof(list[0]));
    *count = 0;
    for (size_t i = 0; i < nodes_count(nodes); i++) {
        const struct node *node = nodes_at(nodes, i);
        if (node->role == TOKEN_NODE && (revoked || !node->revoked))
            list[(*count)++] = node;
    }
    qsort(list, *count, sizeof(list[0]), compare_names);
    return list;
}

static void candidates_add_here(struct candidates *c, const struct session *from, px_wall now)
{
    struct px_vantage *here = &c->vantages[c->count];
    px_text_copy(here->name, sizeof here->name, SELECT_HERE);
    memcpy(here->labels, from->who->labels, sizeof here->labels);
    here->label_count = from->who->label_count;
    here->seen_as = from->from;
    here->presence = PX_PRESENT;
    here->last_seen = now;
    c->peers[c->count++] = from->peer;
}

static void candidates_init(struct candidates *c, const struct query *q, const struct session *from,
                            bool here)
{
    size_t count = 0;
    const struct node **nodes = nodes_sorted(q->nodes, false, &count);
    px_wall now = px_wall_now();
    *c = (struct candidates){0};
    c->vantages = px_xcalloc(count + 1, sizeof *c->vantages);
    c->peers = px_xcalloc(count + 1, sizeof *c->peers);
    if (here)
        candidates_add_here(c, from, now);
    for (size_t i = 0; i < count; i++) {
        nodes_format_vantage(nodes[i], &c->vantages[c->count]);
        if (nodes[i]->peer)
            c->vantages[c->count].last_seen = now;
        c->peers[c->count++] = nodes[i]->peer;
    }
    free(nodes);
}

static void candidates_clear(struct candidates *c)
{
    free(c->vantages);
    free(c->peers);
}

static int check_select(const struct wire_check *m, const struct candidates *c, bool *chosen,
                        struct px_err *err)
{
    bool alone = m->here && c->count == 1 && (m->from[0] == '\0' || !strcmp(m->from, SELECT_ALL));
    if (!alone && select_vantages(m->from, c->vantages, c->count, chosen, err) < 0)
        return -1;
    if (m->here)
        chosen[0] = true;
    return 0;
}

/* Report and peers of the chosen candidates. */
static void ask_add_vantages(struct dispatch_ask *ask, const struct candidates *c,
                             const bool *chosen)
{
    ask->peers = px_xcalloc(c->count + 1, sizeof *ask->peers);
    for (size_t i = 0; i < c->count; i++) {
        if (!chosen[i])
            continue;
        ask->peers[ask->report->vantage_count] = c->peers[i];
        *px_report_add_vantage(ask->report, c->vantages[i].name) = c->vantages[i];
    }
}

static int ask_fill_vantages(struct dispatch_ask *ask, const struct query *q,
                             const struct session *from, const struct wire_check *m,
                             struct px_err *err)
{
    struct candidates c;
    candidates_init(&c, q, from, m->here);
    bool *chosen = px_xcalloc(c.count + 1, sizeof *chosen);
    int failed = check_select(m, &c, chosen, err);
    if (!failed)
        ask_add_vantages(ask, &c, chosen);
    free(chosen);
    candidates_clear(&c);
    return failed;
}

static int ask_fill(struct dispatch_ask *ask, const struct query *q, const struct session *from,
                    const struct wire_check *m, struct px_err *err)
{
    struct px_report *r = ask->report;
    plan_wish_default(&ask->wish);
    ask->wish.depth = m->depth;
    ask->wish.fresh = m->fresh;
    ask->watch = m->watch;
    if (m->timeout_ms)
        ask->wish.timeout_ms = m->timeout_ms;
    if (m->rounds)
        ask->wish.rounds_max = m->rounds;
    r->started = px_wall_now();
    px_id_new(r->started, r->id);
    if (px_target_parse(m->target, &r->target, err) != 0 ||
        plan_wish_check(&ask->wish, &r->target, &r->notes, err) != 0)
        return -1;
    return ask_fill_vantages(ask, q, from, m, err);
}

static void audit_check(const struct query *q, const struct session *from,
                        const struct wire_check *m, const char *run_id)
{
    char detail[PX_TARGET_URL + WIRE_SELECTOR_MAX + PX_ID_TEXT + 32];
    if (!q->writer)
        return;
    (void)snprintf(detail, sizeof detail, "%s from \"%s\"%s run %s", m->target, m->from,
                   m->here ? " and here" : "", run_id);
    store_writer_add_audit(q->writer, px_wall_now(), from->who->name, "check", detail);
}

static int query_check(const struct query *q, struct session *from, const struct wire_message *m,
                       struct px_err *err)
{
    struct dispatch_ask ask = {
        .asker = from->peer, .request = m->request, .user_id = from->who->id};
    char run_id[PX_ID_TEXT];
    if (from->who->role != TOKEN_OPERATOR)
        return px_err_set(err, "not-allowed",
                          "your key may read results but not start probes (role %s)",
                          token_role_name(from->who->role));
    ask.report = px_xcalloc(1, sizeof *ask.report);
    px_report_init(ask.report);
    if (ask_fill(&ask, q, from, &m->u.check, err) != 0) {
        dispatch_ask_clear(&ask);
        return -1;
    }
    px_text_copy(run_id, sizeof run_id, ask.report->id);
    if (dispatch_reuse(q->dispatch, &ask))
        return 0;
    if (dispatch_start(q->dispatch, &ask, err) != 0) {
        dispatch_ask_clear(&ask);
        return -1;
    }
    audit_check(q, from, &m->u.check, run_id);
    return 0;
}

/* ---- the others ---- */

static int query_list_nodes(const struct query *q, struct session *from,
                            const struct wire_message *m, struct px_err *err)
{
    (void)err;
    size_t count = 0, done = 0;
    const struct node **nodes = nodes_sorted(q->nodes, true, &count);
    struct wire_node *rows = px_xcalloc(LIST_PART, sizeof *rows);
    struct wire_message *reply = wire_new(WIRE_NODE_LIST);
    reply->request = m->request;
    reply->u.node_list.nodes = rows;
    do {
        size_t part = count - done < LIST_PART ? count - done : LIST_PART;
        for (size_t i = 0; i < part; i++)
            nodes_format_wire(nodes[done + i], &rows[i]);
        done += part;
        reply->u.node_list.count = part;
        reply->u.node_list.last = done == count;
    } while (post_message(q->post, from->peer, reply) == 0 && done < count);
    wire_free(reply);
    free(rows);
    free(nodes);
    return 0;
}

static int query_show(const struct query *q, struct session *from, const struct wire_message *m,
                      struct px_err *err)
{
    char wanted[PX_ID_TEXT], id[PX_ID_TEXT], *stored = NULL;
    px_text_copy(wanted, sizeof wanted, m->u.show.run_id);
    for (char *p = wanted; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    const char *json = dispatch_find_recent(q->dispatch, wanted, id);
    int found = json ? 1 : store_find_run(q->store, wanted, id, &stored, err);
    if (found < 0)
        return -1;
    if (found == 2) {
        px_err_set(err, "ambiguous-run", "several runs begin with \"%s\"", wanted);
        return px_err_hint(err, "give more characters of the id");
    }
    if (found == 0) {
        px_err_set(err, "no-such-run", "no run \"%s\" is kept here", wanted);
        return px_err_hint(err, "plx check prints the id of each run; runs are kept for %d days",
                           (int)(STORE_KEEP_RUNS / PX_SEC / 86400));
    }
    post_document(q->post, from->peer, m->request, id, json ? json : stored, true);
    free(stored);
    return 0;
}

static int query_stop(const struct query *q, struct session *from, const struct wire_message *m,
                      struct px_err *err)
{
    if (dispatch_on_stop(q->dispatch, from->peer, m->request))
        return 0;
    return px_err_set(err, "no-such-run", "that question is not under way (any more)");
}

/* ---- the table ---- */

static const struct {
    enum wire_kind kind;
    int (*answer)(const struct query *q, struct session *from, const struct wire_message *m,
                  struct px_err *err);
} questions[] = {
    {WIRE_CHECK, query_check},
    {WIRE_LIST_NODES, query_list_nodes},
    {WIRE_SHOW, query_show},
    {WIRE_STOP, query_stop},
};
#define QUESTIONS (sizeof questions / sizeof *questions)

bool query_knows(enum wire_kind kind)
{
    for (size_t i = 0; i < QUESTIONS; i++)
        if (questions[i].kind == kind)
            return true;
    return false;
}

void query_on_message(const struct query *q, struct session *from, const struct wire_message *m)
{
    struct px_err err = {0};
    for (size_t i = 0; i < QUESTIONS; i++)
        if (questions[i].kind == m->kind && questions[i].answer(q, from, m, &err) != 0) {
            px_log(PX_LOG_DEBUG, "%s of \"%s\" refused: %s", wire_kind_name(m->kind),
                   from->who->name, err.message);
            post_error(q->post, from->peer, m->request, &err);
        }
}
