/* SPDX-License-Identifier: MIT */
/* plx diagnose FILE: judges what is written down in a document again. Asks nobody. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "common/text.h"
#include "coordinator/diagnose/diagnose.h"

#define READ_STEP 65536

static const struct flag_spec diagnose_flags[] = {
    {"path", 0, NULL, "table: the traced paths in place of the reasons"},
    {"verbose", 'v', NULL, "every row"},
    {"output", 'o', "FORMAT[=FILE]", "repeatable; with =FILE into a file"},
    {NULL, 0, NULL, NULL},
};

/* The whole file, at most PX_REPORT_JSON_MAX bytes and one more so that too much is noticed. Heap.
 */
static char *read_all(const char *name, FILE *f, size_t *size, struct px_err *err)
{
    char *text = NULL;
    size_t room = 0;
    *size = 0;
    do {
        if (room - *size < READ_STEP) {
            room = room ? room * 2 : 2 * READ_STEP;
            text = px_xrealloc(text, room, 1);
        }
        *size += fread(text + *size, 1, READ_STEP, f);
    } while (!feof(f) && !ferror(f) && *size <= PX_REPORT_JSON_MAX);
    if (ferror(f)) {
        px_err_set(err, "no-file", "cannot read %s: %s", name, strerror(errno));
        free(text);
        return NULL;
    }
    return text;
}

static char *read_file(const char *path, size_t *size, struct px_err *err)
{
    char safe[512];
    if (strcmp(path, "-") == 0)
        return read_all("standard input", stdin, size, err);
    px_text_safe(path, 200, safe, sizeof safe);
    FILE *f = fopen(path, "re");
    if (!f) {
        px_err_set(err, "no-file", "cannot read %s: %s", safe, strerror(errno));
        return NULL;
    }
    char *text = read_all(safe, f, size, err);
    fclose(f);
    return text;
}

static int report_read(const char *path, struct px_report *r, struct px_err *err)
{
    size_t size = 0;
    struct px_err inner;
    char safe[512];
    char *text = read_file(path, &size, err);
    if (!text)
        return -1;
    int result = px_report_decode_json(text, size, r, &inner);
    free(text);
    if (result == 0)
        return 0;
    px_text_safe(strcmp(path, "-") == 0 ? "standard input" : path, 120, safe, sizeof safe);
    px_err_set(err, inner.code, "%s: %.380s", safe, inner.message);
    if (*inner.hint)
        return px_err_hint(err, "%s", inner.hint);
    return px_err_hint(err, "expected a document parallax.run/1, as plx check -o json writes it");
}

static enum cmd_exit cmd_diagnose_run(struct cmd_env *env)
{
    struct px_report r;
    struct out_sinks sinks;
    struct out_style style = env->out;
    struct px_err err;
    if (env->flags.word_count != 1)
        return cmd_misuse(env, "diagnose takes one FILE, or - for standard input");
    if (out_sinks_open(&sinks, &env->flags, &err) != 0)
        return cmd_fail(env, &err, CMD_MISUSE);
    px_report_init(&r);
    enum cmd_exit code;
    if (report_read(env->flags.words[0], &r, &err) != 0) {
        code = cmd_fail(env, &err, CMD_MISUSE);
    } else {
        const struct px_report *reports[] = {&r};
        diagnose(&r);
        style.verbose = flags_has(&env->flags, "verbose");
        style.path = flags_has(&env->flags, "path");
        style.now = r.started + (px_wall)(r.took_ms * (double)PX_MS);
        code = cmd_exit_of(r.verdict.status);
        if (out_sinks_write(&sinks, reports, 1, &style, &err) != 0)
            code = cmd_fail(env, &err, CMD_MISUSE);
    }
    if (out_sinks_close(&sinks, &err) != 0)
        code = cmd_fail(env, &err, CMD_MISUSE);
    px_report_clear(&r);
    return code;
}

const struct cmd cmd_diagnose_entry = {
    .name = "diagnose",
    .synopsis = "diagnose FILE|- [-o FORMAT]",
    .summary = "judge a saved run again, asking nobody",
    .examples = "  plx check bastion -o json > run.json; plx diagnose run.json\n"
                "  plx diagnose - -o json < run.json",
    .flags = diagnose_flags,
    .run = cmd_diagnose_run,
};
