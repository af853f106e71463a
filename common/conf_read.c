/* SPDX-License-Identifier: MIT */
/* Typed reading of nodes, each wrong value recorded with what was expected. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/conf.h"
#include "common/text.h"

#define LIST_TEXT 512

struct px_conf_node *px_conf_get(struct px_conf_node *map, const char *key)
{
    if (map == NULL || map->kind != PX_CONF_MAP)
        return NULL;
    for (struct px_conf_node *n = map->first; n != NULL; n = n->next) {
        if (!n->bad && strcmp(n->key, key) == 0) {
            n->used = true;
            return n;
        }
    }
    return NULL;
}

/* "tcp, banner or kex" */
static char *list_format(const char *const *words, size_t n, const char *last, char *out)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < n && used < LIST_TEXT; i++) {
        const char *glue = i == 0 ? "" : i + 1 == n ? last : ", ";
        used += (size_t)snprintf(out + used, LIST_TEXT - used, "%s%s", glue, words[i]);
    }
    return out;
}

void px_conf_unknown_keys(struct px_conf *c, const struct px_conf_node *map, const char *where,
                          const char *const *known, size_t n)
{
    if (map == NULL || map->kind != PX_CONF_MAP)
        return;
    for (const struct px_conf_node *k = map->first; k != NULL; k = k->next) {
        char words[LIST_TEXT], hint[LIST_TEXT + 16];
        if (k->used || k->bad)
            continue;
        const char *near = px_text_suggest(k->key, known, n);
        if (near != NULL)
            snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near);
        else
            snprintf(hint, sizeof(hint), "known: %s", list_format(known, n, ", ", words));
        struct px_conf_node at = {
            .line = k->key_line, .column = k->key_column, .width = (unsigned)strlen(k->key)};
        px_conf_error(c, &at, n > 0 ? hint : NULL, "unknown key \"%s\"%s%s", k->key,
                      where != NULL ? " in " : "", where != NULL ? where : "");
    }
}

/* A scalar that says something; otherwise the error is recorded. */
static bool scalar_check(struct px_conf *c, const struct px_conf_node *n, const char *what,
                         const char *expected)
{
    if (n == NULL || n->bad)
        return false;
    if (n->kind != PX_CONF_SCALAR) {
        px_conf_error(c, n, NULL, "%s must be %s, not a %s", what, expected,
                      n->kind == PX_CONF_LIST ? "list" : "map");
        return false;
    }
    if (n->text[0] == '\0' && !n->quoted) {
        px_conf_error(c, n, NULL, "%s is empty, expected %s", what, expected);
        return false;
    }
    return true;
}

bool px_conf_text(struct px_conf *c, const struct px_conf_node *n, const char *what,
                  const char **out)
{
    if (!scalar_check(c, n, what, "text"))
        return false;
    *out = n->text;
    return true;
}

bool px_conf_integer(struct px_conf *c, const struct px_conf_node *n, const char *what, int64_t min,
                     int64_t max, int64_t *out)
{
    if (!scalar_check(c, n, what, "a whole number"))
        return false;
    const char *digits = n->text + (n->text[0] == '-' ? 1 : 0);
    char *end;
    errno = 0;
    int64_t v = strtoll(n->text, &end, 10);
    if (digits[0] == '\0' || strspn(digits, "0123456789") != strlen(digits)) {
        px_conf_error(c, n, NULL, "%s is \"%s\", expected a whole number", what, n->text);
        return false;
    }
    if (errno == ERANGE || v < min || v > max) {
        px_conf_error(c, n, NULL, "%s is %s, allowed %" PRId64 " to %" PRId64, what, n->text, min,
                      max);
        return false;
    }
    *out = v;
    return true;
}

bool px_conf_duration(struct px_conf *c, const struct px_conf_node *n, const char *what,
                      int64_t min_ns, int64_t max_ns, int64_t *ns)
{
    char least[PX_DURATION_TEXT], most[PX_DURATION_TEXT], hint[96];
    int64_t v;
    if (!scalar_check(c, n, what, "a duration"))
        return false;
    if (n->text[0] != '\0' && strspn(n->text, "0123456789.") == strlen(n->text)) {
        snprintf(hint, sizeof(hint), "write %.40ss, 5m or 1h", n->text);
        px_conf_error(c, n, hint, "%s needs a unit, got \"%s\"", what, n->text);
        return false;
    }
    if (px_duration_parse(what, n->text, &v, NULL) != 0) {
        px_conf_error(c, n, "write 250ms, 10s, 5m, 24h or 14d", "%s is \"%s\", expected a duration",
                      what, n->text);
        return false;
    }
    if (v < min_ns || v > max_ns) {
        px_conf_error(c, n, NULL, "%s is %s, allowed %s to %s", what, n->text,
                      px_duration_format(min_ns, least), px_duration_format(max_ns, most));
        return false;
    }
    *ns = v;
    return true;
}

bool px_conf_boolean(struct px_conf *c, const struct px_conf_node *n, const char *what, bool *out)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"true", true},   {"yes", true}, {"on", true},
                 {"false", false}, {"no", false}, {"off", false}};
    if (!scalar_check(c, n, what, "true or false"))
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(n->text, words[i].word) == 0) {
            *out = words[i].value;
            return true;
        }
    }
    px_conf_error(c, n, NULL, "%s is \"%s\", expected true or false", what, n->text);
    return false;
}

bool px_conf_choice(struct px_conf *c, const struct px_conf_node *n, const char *what,
                    const char *const *words, size_t count, int *out)
{
    char all[LIST_TEXT], hint[LIST_TEXT];
    list_format(words, count, " or ", all);
    if (!scalar_check(c, n, what, all))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(n->text, words[i]) == 0) {
            *out = (int)i;
            return true;
        }
    }
    const char *near = px_text_suggest(n->text, words, count);
    snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near != NULL ? near : "");
    px_conf_error(c, n, near != NULL ? hint : NULL, "%s is \"%s\", expected %s", what, n->text,
                  all);
    return false;
}
