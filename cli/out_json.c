/* SPDX-License-Identifier: MIT */
/*
 * Machine formats: one JSON document (parallax.run/1, or parallax.runs/1 around several), one
 * document per line, and parallax.error/1. The documents themselves are written by common.
 */
#include <jansson.h>
#include <stdlib.h>

#include "cli/out.h"
#include "common/text.h"

/* NULL only if the report cannot be written down, which would be a bug of ours. */
static json_t *document_of(const struct px_report *r)
{
    char *text = px_report_encode_json(r, false);
    json_t *document = text ? json_loads(text, 0, NULL) : NULL;
    free(text);
    return document;
}

static void dump(FILE *f, json_t *document, size_t flags)
{
    json_dumpf(document, f, flags);
    fputc('\n', f);
    json_decref(document);
}

void out_json_write(FILE *f, const struct px_report *const *reports, size_t n,
                    const struct out_style *style)
{
    (void)style;
    if (n == 1) {
        char *text = px_report_encode_json(reports[0], true);
        fputs(text, f);
        fputc('\n', f);
        free(text);
        return;
    }
    json_t *runs = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(runs, document_of(reports[i]));
    dump(f, json_pack("{s:s, s:o}", "schema", "parallax.runs/1", "runs", runs), JSON_INDENT(2));
}

void out_ndjson_write(FILE *f, const struct px_report *const *reports, size_t n,
                      const struct out_style *style)
{
    (void)style;
    for (size_t i = 0; i < n; i++) {
        char *text = px_report_encode_json(reports[i], false);
        fputs(text, f);
        fputc('\n', f);
        free(text);
    }
}

/* Valid UTF-8 out of anything: what is no character is escaped. */
static json_t *text_of(const char *text)
{
    char safe[sizeof((struct px_err *)0)->message * 8];
    json_t *value = json_string(text);
    return value ? value : json_string(px_text_safe(text, sizeof safe, safe, sizeof safe));
}

void out_json_write_error(FILE *f, const struct px_err *err)
{
    json_t *error = json_object();
    json_object_set_new(error, "code", text_of(err->code));
    json_object_set_new(error, "message", text_of(err->message));
    if (*err->hint)
        json_object_set_new(error, "hint", text_of(err->hint));
    dump(f, json_pack("{s:s, s:o}", "schema", "parallax.error/1", "error", error), JSON_COMPACT);
}
