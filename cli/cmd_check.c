/* SPDX-License-Identifier: MIT */
/* plx check: one question per target, asked at once; the verdicts printed, the exit code is theirs.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/config.h"
#include "cli/last.h"
#include "cli/questions.h"
#include "common/text.h"

#define PORTS_MAX 8
#define TARGETS_MAX WIRE_TARGETS_MAX

static const struct flag_spec check_flags[] = {
    {"from", 0, "SELECTOR", "which vantages: all (default), NAME, tag:X, K=V, a+b, a,b, !a"},
    {"no-here", 0, NULL, "do not take part as vantage \"here\""},
    {"port", 0, "N[,N]", "other port or ports of the target"},
    {"depth", 0, "STAGE", "tcp, banner or kex (default for ssh)"},
    {"timeout", 0, "TIME", "whole run (default 20s)"},
    {"rounds", 0, "N", "looks at most (default 2; the second only if something failed)"},
    {"fresh", 0, NULL, "do not reuse results younger than 10s; never lifts the budget"},
    {"path", 0, NULL, "table: the traced paths in place of the reasons"},
    {"verbose", 'v', NULL, "every row"},
    {"output", 'o', "FORMAT[=FILE]", "repeatable; with =FILE into a file"},
    {NULL, 0, NULL, NULL},
};

/* ---- from flags to wishes ---- */

/* Does a selector name the vantage here? "!here" does not. */
static bool selector_names_here(const char *from)
{
    static const char separators[] = "+, ()";
    for (const char *p = from; *p;) {
        size_t length = strcspn(p, separators);
        if (length == strlen(HERE_NAME) && memcmp(p, HERE_NAME, length) == 0)
            return true;
        p += length;
        p += strspn(p, separators);
    }
    return false;
}

static int depth_parse(const char *text, enum px_stage *depth, struct px_err *err)
{
    static const char *const words[] = {"tcp", "banner", "kex"};
    char safe[64];
    if (!text)
        return 0;
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(text, words[i]) == 0) {
            *depth = (enum px_stage)px_stage_parse(text);
            return 0;
        }
    }
    px_text_safe(text, 20, safe, sizeof safe);
    const char *near = px_text_suggest(text, words, 3);
    px_err_set(err, "bad-flag", "--depth is tcp, banner or kex, not \"%s\"", safe);
    if (near)
        return px_err_hint(err, "did you mean %s?", near);
    return -1;
}

/* What all targets have in common. */
static int wish_parse(const struct flags *f, bool mesh, struct ask_wish *wish, struct px_err *err)
{
    const char *from = flags_text(f, "from");
    int64_t timeout = 0;
    long rounds = 0;
    plan_wish_default(&wish->plan);
    timeout = wish->plan.timeout_ms * PX_MS;
    rounds = wish->plan.rounds_max;
    if (from && px_text_copy(wish->from, sizeof wish->from, from) != 0)
        return px_err_set(err, "bad-selector", "--from is longer than %u characters",
                          WIRE_SELECTOR_MAX);
    if (depth_parse(flags_text(f, "depth"), &wish->plan.depth, err) != 0 ||
        flags_duration(f, "timeout", 100 * PX_MS, PLAN_TIMEOUT_MAX_MS * PX_MS, &timeout, err) ||
        flags_integer(f, "rounds", 1, PLAN_ROUNDS_MAX, &rounds, err) != 0)
        return -1;
    wish->plan.timeout_ms = (uint32_t)(timeout / PX_MS);
    wish->plan.rounds_max = (uint32_t)rounds;
    wish->plan.fresh = flags_has(f, "fresh");
    wish->here = !flags_has(f, "no-here") && (!from || selector_names_here(from));
    if (!mesh && !wish->here) {
        px_err_set(err, "no-coordinator", "%s needs a coordinator, and none is configured",
                   from ? "--from" : "--no-here");
        return px_err_hint(err, "plx context add NAME TOKEN   (ask your team for a user token)");
    }
    return 0;
}

static int target_set_port(struct px_target *t, uint16_t port, struct px_err *err)
{
    bool brackets = t->literal.family == 6;
    char *text = px_xasprintf("%s://%s%s%s:%u%s", px_scheme_name(t->scheme), brackets ? "[" : "",
                              t->host, brackets ? "]" : "", port, t->path);
    int result = px_target_parse(text, t, err);
    free(text);
    return result;
}

static int questions_add(struct questions *q, const struct ask_wish *wish, struct px_err *err)
{
    if (plan_wish_check(&wish->plan, &wish->target, NULL, err) != 0)
        return -1;
    if (q->n == TARGETS_MAX)
        return px_err_set(err, "too-many-targets", "at most %u targets in one run", TARGETS_MAX);
    q->v = px_xrealloc(q->v, q->n + 1, sizeof *q->v);
    memset(&q->v[q->n], 0, sizeof *q->v);
    q->v[q->n++].wish = *wish;
    return 0;
}

/* What `@last` stands for, unless flags say otherwise. */
static int last_apply(const struct flags *f, const struct last *last, bool mesh,
                      struct ask_wish *wish, struct px_err *err)
{
    if (!flags_has(f, "from") && !flags_has(f, "no-here") && mesh) {
        memcpy(wish->from, last->from, sizeof wish->from);
        wish->here = last->here;
    }
    if (flags_has(f, "depth") || !*last->depth)
        return 0;
    return depth_parse(last->depth, &wish->plan.depth, err);
}

/* The words of the command line, or the targets of the last question. */
static int targets_parse(struct px_strs *targets, const struct flags *f, bool mesh,
                         struct ask_wish *wish, struct px_err *err)
{
    struct last last;
    if (f->word_count != 1 || strcmp(f->words[0], LAST_WORD) != 0) {
        for (size_t i = 0; i < f->word_count; i++)
            px_strs_add(targets, f->words[i]);
        return 0;
    }
    int result = last_load(&last, err);
    if (result == 0)
        result = last_apply(f, &last, mesh, wish, err);
    for (size_t i = 0; result == 0 && i < last.targets.n; i++)
        px_strs_add(targets, last.targets.v[i]);
    last_clear(&last);
    return result;
}

static void questions_remember(const struct questions *q)
{
    const struct ask_wish *first = &q->v[0].wish;
    struct last last = {.here = first->here};
    px_text_copy(last.from, sizeof last.from, first->from);
    if (first->plan.depth != PX_STAGE_NONE)
        px_text_copy(last.depth, sizeof last.depth, px_stage_name(first->plan.depth));
    for (size_t i = 0; i < q->n; i++)
        px_strs_add(&last.targets, q->v[i].wish.target.url);
    last_save(&last);
    last_clear(&last);
}

static int questions_parse(struct questions *q, const struct flags *f,
                           const struct px_strs *targets, struct ask_wish *wish, struct px_err *err)
{
    uint16_t ports[PORTS_MAX];
    int port_count = flags_ports(f, "port", ports, PORTS_MAX, err);
    if (port_count < 0)
        return -1;
    for (size_t i = 0; i < targets->n; i++) {
        if (px_target_parse(targets->v[i], &wish->target, err) != 0)
            return -1;
        for (int p = 0; p < port_count; p++) {
            if (target_set_port(&wish->target, ports[p], err) != 0 ||
                questions_add(q, wish, err) != 0)
                return -1;
        }
        if (port_count == 0 && questions_add(q, wish, err) != 0)
            return -1;
    }
    return 0;
}

/* ---- from answers to paper ---- */

static enum cmd_exit write_answers(struct questions *q, struct out_sinks *sinks,
                                   const struct out_style *style)
{
    const struct px_report **reports = px_xcalloc(q->n + 1, sizeof *reports);
    struct px_err err;
    enum cmd_exit code = CMD_YES;
    size_t n = 0;
    for (size_t i = 0; i < q->n; i++) {
        if (q->v[i].state != QUESTION_ANSWERED)
            continue;
        reports[n++] = q->v[i].report;
        code = cmd_graver(code, cmd_exit_of(q->v[i].report->verdict.status));
    }
    if (n > 0 && out_sinks_write(sinks, reports, n, style, &err) != 0)
        code = cmd_fail(q->env, &err, CMD_MISUSE);
    free(reports);
    return code;
}

/* Errors of single questions; the same one is said once. As a document only if nothing else is on
 * stdout. */
static enum cmd_exit say_failures(const struct questions *q)
{
    enum cmd_exit code = CMD_YES;
    const struct px_err *said = NULL;
    struct cmd_env env = *q->env;
    for (size_t i = 0; i < q->n; i++)
        env.documents = env.documents && q->v[i].state != QUESTION_ANSWERED;
    for (size_t i = 0; i < q->n; i++) {
        const struct question *one = &q->v[i];
        if (one->state != QUESTION_FAILED)
            continue;
        enum cmd_exit this = *q->session_err.code ? CMD_COORDINATOR : cmd_exit_of_error(&one->err);
        code = cmd_graver(code, this);
        if (said && strcmp(said->message, one->err.message) == 0)
            continue;
        cmd_fail(&env, &one->err, this);
        env.documents = false;
        said = &one->err;
    }
    return code;
}

/* Ctrl-C: rows that are there, and that there is no verdict. */
static enum cmd_exit say_interrupted(const struct questions *q, const struct out_sinks *sinks)
{
    struct px_err err;
    uint32_t reported = 0, expected = 0;
    bool table = !q->env->documents && strcmp(out_sinks_stdout(sinks)->name, "table") == 0;
    for (size_t i = 0; i < q->n; i++) {
        const struct question *one = &q->v[i];
        reported += one->reported;
        expected += one->expected;
        if (table && one->report)
            out_table_write_rows(stdout, one->report, &q->env->out);
    }
    fflush(stdout);
    if (q->n == 1 && expected == 0)
        px_err_set(&err, "interrupted", "interrupted before any vantage was asked; no verdict");
    else if (q->n == 1)
        px_err_set(&err, "interrupted", "interrupted after %u of %u vantages; no verdict", reported,
                   expected);
    else
        px_err_set(&err, "interrupted", "interrupted after %zu of %zu targets; no verdict",
                   q->ended, q->n);
    fprintf(stderr, "%s\n", err.message);
    if (q->env->documents)
        out_json_write_error(stdout, &err);
    return CMD_INTERRUPTED;
}

static enum cmd_exit finish(struct questions *q, struct out_sinks *sinks, bool mesh)
{
    struct out_style style = q->env->out;
    if (q->interrupted)
        return say_interrupted(q, sinks);
    style.verbose = flags_has(&q->env->flags, "verbose");
    style.path = flags_has(&q->env->flags, "path");
    style.asked_now = true;
    style.alone = !mesh;
    if (mesh && !*q->session_err.code)
        style.id_length = q->n == 1 ? OUT_ID_SHORT : OUT_ID_WHOLE;
    style.now = px_wall_now();
    enum cmd_exit code = write_answers(q, sinks, &style);
    code = cmd_graver(code, say_failures(q));
    if (*q->session_err.code)
        code = cmd_graver(code, CMD_COORDINATOR);
    if (q->here && *here_trouble(q->here))
        fprintf(stderr, "note: %s\n", here_trouble(q->here));
    return code;
}

static enum cmd_exit cmd_check_run(struct cmd_env *env)
{
    struct questions q = {.env = env};
    struct ask_wish *wish = px_xcalloc(1, sizeof *wish);
    struct out_sinks sinks = {0};
    struct px_strs targets = {0};
    struct context context;
    struct px_err err;
    enum cmd_exit code = CMD_MISUSE;
    int mesh = config_choose(env, &context, &code);
    if (mesh < 0) {
        free(wish);
        return code;
    }
    if (env->flags.word_count == 0) {
        code = cmd_misuse(env, "check what?  plx check TARGET..., for example  plx check "
                               "bastion.example.net");
    } else if (wish_parse(&env->flags, mesh > 0, wish, &err) != 0 ||
               targets_parse(&targets, &env->flags, mesh > 0, wish, &err) != 0 ||
               questions_parse(&q, &env->flags, &targets, wish, &err) != 0 ||
               out_sinks_open(&sinks, &env->flags, &err) != 0) {
        code = cmd_fail(env, &err, CMD_MISUSE);
    } else {
        q.sinks = &sinks;
        questions_remember(&q);
        if (questions_run(&q, mesh > 0 ? &context : NULL, &err) != 0)
            code = cmd_fail(env, &err, CMD_MISUSE);
        else
            code = finish(&q, &sinks, mesh > 0);
    }
    if (out_sinks_close(&sinks, &err) != 0)
        code = cmd_graver(code, cmd_fail(env, &err, CMD_MISUSE));
    fflush(stdout);
    questions_clear(&q);
    px_strs_clear(&targets);
    free(wish);
    return code;
}

const struct cmd cmd_check_entry = {
    .name = "check",
    .synopsis = "check TARGET... [-o FORMAT]",
    .summary = "can it be reached, from where not, and why",
    .examples =
        "  plx check bastion.example.net                    ssh, port 22, all vantages\n"
        "  plx check tcp://db.example.net:5432 --from tag:app\n"
        "  plx check bastion --port 22,2222 --no-here\n"
        "  plx check bastion -o json > run.json             plx diagnose run.json reads it\n"
        "  plx check bastion -o table -o markdown=ticket.md",
    .flags = check_flags,
    .run = cmd_check_run,
};
