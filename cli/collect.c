/* SPDX-License-Identifier: MIT */
/* Puts the parts of a document together, within a limit, and reads it. */
#include "cli/collect.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"

int collect_add(struct collect *c, const struct wire_document *part, struct px_err *err)
{
    if (part->part == 0)
        collect_clear(c);
    if (part->part != c->next)
        return px_err_set(err, "bad-message", "part %u of a document came, expected %u", part->part,
                          c->next);
    if (c->size + part->json_size > PX_REPORT_JSON_MAX)
        return px_err_set(err, "bad-message", "the coordinator sends a document above %u MiB",
                          PX_REPORT_JSON_MAX >> 20);
    c->text = px_xrealloc(c->text, c->size + part->json_size + 1, 1);
    if (part->json_size > 0)
        memcpy(c->text + c->size, part->json, part->json_size);
    c->size += part->json_size;
    c->text[c->size] = '\0';
    c->next++;
    return part->last ? 1 : 0;
}

struct px_report *collect_report(const struct collect *c, struct px_err *err)
{
    struct px_report *r = px_xcalloc(1, sizeof *r);
    if (px_report_decode_json(c->text ? c->text : "", c->size, r, err) == 0)
        return r;
    px_report_clear(r);
    free(r);
    return NULL;
}

void collect_clear(struct collect *c)
{
    free(c->text);
    memset(c, 0, sizeof *c);
}
