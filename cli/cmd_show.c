/* SPDX-License-Identifier: MIT */
/* plx show RUN: a run that the coordinator has kept. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/collect.h"
#include "cli/config.h"
#include "cli/session.h"
#include "common/text.h"

static const struct flag_spec show_flags[] = {
    {"path", 0, NULL, "table: the traced paths in place of the reasons"},
    {"verbose", 'v', NULL, "every row"},
    {"output", 'o', "FORMAT[=FILE]", "repeatable; with =FILE into a file"},
    {NULL, 0, NULL, NULL},
};

struct shown {
    struct collect document;
    struct px_err err;
    bool broken;
};

static bool show_on_answer(void *arg, const struct wire_message *m)
{
    struct shown *shown = arg;
    if (m->kind != WIRE_DOCUMENT)
        return false;
    int state = collect_add(&shown->document, &m->u.document, &shown->err);
    shown->broken = state < 0;
    return state != 0;
}

/* Run ids are digits and capital letters; people may type them small. */
static int run_id_parse(const char *text, char *out, struct px_err *err)
{
    char safe[128];
    size_t n = strlen(text);
    bool good = n >= 6 && n < PX_ID_TEXT;
    for (size_t i = 0; good && i <= n; i++) {
        out[i] = (char)toupper((unsigned char)text[i]);
        good = text[i] == '\0' || isalnum((unsigned char)text[i]);
    }
    if (good)
        return 0;
    px_text_safe(text, 40, safe, sizeof safe);
    px_err_set(err, "bad-run", "\"%s\" is not the id of a run", safe);
    return px_err_hint(err, "it is the word after \"run\" at the end of plx check");
}

static enum cmd_exit write_shown(struct cmd_env *env, const struct shown *shown)
{
    struct out_style style = env->out;
    struct out_sinks sinks;
    struct px_err err;
    struct px_report *r = collect_report(&shown->document, &err);
    if (!r)
        return cmd_fail(env, &err, CMD_COORDINATOR);
    const struct px_report *reports[] = {r};
    enum cmd_exit code = CMD_YES; /* it was asked to show, not whether all is well */
    style.verbose = flags_has(&env->flags, "verbose");
    style.path = flags_has(&env->flags, "path");
    style.id_length = OUT_ID_SHORT;
    style.now = px_wall_now();
    if (out_sinks_open(&sinks, &env->flags, &err) != 0 ||
        out_sinks_write(&sinks, reports, 1, &style, &err) != 0 ||
        out_sinks_close(&sinks, &err) != 0)
        code = cmd_fail(env, &err, CMD_MISUSE);
    px_report_clear(r);
    free(r);
    return code;
}

static enum cmd_exit cmd_show_run(struct cmd_env *env)
{
    struct shown shown = {.broken = false};
    struct context context;
    struct px_err err;
    enum cmd_exit code = CMD_YES;
    struct wire_message *request = wire_new(WIRE_SHOW);
    request->request = 1;
    if (env->flags.word_count != 1) {
        code = cmd_misuse(env, "show takes one run, as printed at the end of plx check");
    } else if (run_id_parse(env->flags.words[0], request->u.show.run_id, &err) != 0) {
        code = cmd_fail(env, &err, CMD_MISUSE);
    } else if (config_require(env, &context, &code) >= 0) {
        struct session_wish wish = {.context = &context, .request = request};
        int failed = session_ask(&wish, show_on_answer, &shown, &err);
        if (failed)
            code =
                cmd_fail(env, &err, failed < 0 ? cmd_exit_of_error(&err) : (enum cmd_exit)failed);
        else if (shown.broken)
            code = cmd_fail(env, &shown.err, CMD_COORDINATOR);
        else
            code = write_shown(env, &shown);
    }
    collect_clear(&shown.document);
    wire_free(request);
    return code;
}

const struct cmd cmd_show_entry = {
    .name = "show",
    .synopsis = "show RUN [-o FORMAT]",
    .summary = "a run that was made before",
    .examples = "  plx show 01JD3KQ8M2\n"
                "  plx show 01JD3KQ8M2 -o markdown > ticket.md",
    .flags = show_flags,
    .run = cmd_show_run,
};
