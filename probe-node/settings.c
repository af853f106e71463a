/* SPDX-License-Identifier: MIT */
/* Reads names, labels, references, budget and policy; knows no session and no probe. */
#include "probe-node/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "common/target.h"
#include "common/text.h"
#include "proto/wire.h"

#define DAY_NS (86400 * PX_SEC)

void settings_init(struct settings *s)
{
    memset(s, 0, sizeof *s);
    s->budget = budget_limits_default();
}

int settings_set_name(struct settings *s, const char *name, struct px_err *err)
{
    if (!px_name_valid(name)) {
        char safe[128];
        px_err_set(err, "bad-name", "\"%s\" cannot be the name of a vantage",
                   px_text_safe(name, 60, safe, sizeof safe));
        return px_err_hint(err,
                           "use a-z, 0-9, \".\", \"_\" and \"-\", beginning with a letter or "
                           "digit, at most %d",
                           PX_NAME_MAX);
    }
    return px_text_copy(s->name, sizeof s->name, name);
}

/* The command line goes before the file; within one of the two a key stands once. */
static int label_again(const struct settings *s, const char *key, bool *known, struct px_err *err)
{
    *known = false;
    for (uint32_t i = 0; i < s->label_count; i++) {
        if (strcmp(s->labels[i].key, key) != 0)
            continue;
        if (i >= s->labels_of_flags)
            return px_err_set(err, "bad-label", "label \"%s\" is given twice", key);
        *known = true;
    }
    return 0;
}

int settings_add_label(struct settings *s, const char *text, struct px_err *err)
{
    struct px_label label = {{0}, {0}};
    size_t length = strcspn(text, "=");
    const char *value = text[length] ? text + length + 1 : "";
    bool known, fits = length < sizeof label.key && strlen(value) < sizeof label.value;
    if (fits) {
        memcpy(label.key, text, length);
        px_text_copy(label.value, sizeof label.value, value);
    }
    if (!fits || !wire_label_valid(&label)) {
        char safe[400];
        px_err_set(err, "bad-label", "\"%s\" is not a label",
                   px_text_safe(text, 80, safe, sizeof safe));
        return px_err_hint(err,
                           "write key=value or a tag, each at most %d characters out of "
                           "A-Z a-z 0-9 . _ / -",
                           PX_LABEL_MAX);
    }
    if (label_again(s, label.key, &known, err) != 0)
        return -1;
    if (known)
        return 0;
    if (s->label_count == PX_LABELS_MAX)
        return px_err_set(err, "bad-label", "more than %d labels", PX_LABELS_MAX);
    s->labels[s->label_count++] = label;
    return 0;
}

int settings_add_reference(struct settings *s, const char *text, struct px_err *err)
{
    struct px_target t;
    char *url = px_xasprintf("tcp://%s", text), safe[160];
    int parsed = px_target_parse(url, &t, NULL);
    free(url);
    struct px_reference *r = &s->prober.references[s->prober.reference_count];
    if (s->prober.reference_count == PX_REFERENCES_MAX)
        return px_err_set(err, "bad-reference", "more than %d references", PX_REFERENCES_MAX);
    if (parsed != 0 || t.port == 0 || px_text_copy(r->name, sizeof r->name, text) != 0) {
        px_err_set(err, "bad-reference", "\"%s\" is not a reference",
                   px_text_safe(text, 80, safe, sizeof safe));
        return px_err_hint(err, "write host:port of something that this vantage should always "
                                "reach");
    }
    s->prober.reference_count++;
    return 0;
}

/* ---- the file ---- */

typedef int add_text(struct settings *s, const char *text, struct px_err *err);

/* Every text of a list goes through add; complaints carry the place. */
static void read_list(struct px_conf *c, const struct px_conf_node *list, const char *what,
                      struct settings *s, add_text *add)
{
    if (!list)
        return;
    if (list->kind != PX_CONF_LIST) {
        px_conf_error(c, list, "write [a, b]", "%s must be a list", what);
        return;
    }
    for (const struct px_conf_node *n = list->first; n; n = n->next) {
        const char *text;
        struct px_err err = {"", "", ""};
        if (px_conf_text(c, n, what, &text) && add(s, text, &err) != 0)
            px_conf_error(c, n, err.hint[0] ? err.hint : NULL, "%s", err.message);
    }
}

/* A key that is there but holds no keys of its own would be ignored without a word. */
static bool is_map(struct px_conf *c, const struct px_conf_node *n, const char *what,
                   const char *hint)
{
    if (n && n->kind != PX_CONF_MAP)
        px_conf_error(c, n, hint, "%s must hold keys", what);
    return n && n->kind == PX_CONF_MAP;
}

static int add_rule(struct settings *s, const char *text, bool allow, struct px_err *err)
{
    struct policy *p = &s->policy;
    if (p->count == POLICY_RULES_MAX)
        return px_err_set(err, "bad-rule", "more than %d rules", POLICY_RULES_MAX);
    if (policy_rule_parse(text, allow, &p->rules[p->count])) {
        p->count++;
        return 0;
    }
    px_err_set(err, "bad-rule", "\"%s\" is not a rule", text);
    return px_err_hint(err, "write PREFIX, PREFIX:PORT, PREFIX:FIRST-LAST or *:PORT; IPv6 as "
                            "[PREFIX]/LENGTH:PORT");
}

static int add_deny(struct settings *s, const char *text, struct px_err *err)
{
    return add_rule(s, text, false, err);
}

static int add_allow(struct settings *s, const char *text, struct px_err *err)
{
    return add_rule(s, text, true, err);
}

static void read_budget(struct px_conf *c, struct px_conf_node *map, struct budget_limits *b)
{
    static const char *const known[] = {"strikes", "strike_window", "looks", "look_window"};
    int64_t n;
    if (!is_map(c, map, "budget", "write budget: {strikes: 2, strike_window: 11m}"))
        return;
    if (px_conf_integer(c, px_conf_get(map, "strikes"), "strikes", 0, 64, &n))
        b->strikes = (unsigned)n;
    if (px_conf_integer(c, px_conf_get(map, "looks"), "looks", 1, 64, &n))
        b->looks = (unsigned)n;
    px_conf_duration(c, px_conf_get(map, "strike_window"), "strike_window", PX_MS, DAY_NS,
                     &b->strike_window);
    px_conf_duration(c, px_conf_get(map, "look_window"), "look_window", PX_MS, DAY_NS,
                     &b->look_window);
    px_conf_unknown_keys(c, map, "budget", known, sizeof known / sizeof *known);
}

static void read_policy(struct px_conf *c, struct px_conf_node *map, struct settings *s)
{
    static const char *const known[] = {"deny", "allow"};
    if (!is_map(c, map, "policy", "write policy: {deny: [PREFIX]}"))
        return;
    read_list(c, px_conf_get(map, "deny"), "deny", s, add_deny);
    read_list(c, px_conf_get(map, "allow"), "allow", s, add_allow);
    px_conf_unknown_keys(c, map, "policy", known, sizeof known / sizeof *known);
}

static void read_name(struct px_conf *c, const struct px_conf_node *n, struct settings *s)
{
    const char *text;
    struct px_err err = {"", "", ""};
    if (px_conf_text(c, n, "name", &text) && s->name[0] == '\0' &&
        settings_set_name(s, text, &err) != 0)
        px_conf_error(c, n, err.hint, "%s", err.message);
}

static void read_root(struct px_conf *c, struct px_conf_node *root, struct settings *s)
{
    static const char *const known[] = {"name", "labels", "references", "budget", "policy"};
    if (!is_map(c, root, "the file", "write name: fra1"))
        return;
    read_name(c, px_conf_get(root, "name"), s);
    read_list(c, px_conf_get(root, "labels"), "labels", s, settings_add_label);
    read_list(c, px_conf_get(root, "references"), "references", s, settings_add_reference);
    read_budget(c, px_conf_get(root, "budget"), &s->budget);
    read_policy(c, px_conf_get(root, "policy"), s);
    px_conf_unknown_keys(c, root, "the file", known, sizeof known / sizeof *known);
}

int settings_read_file(struct settings *s, const char *path, struct px_err *err)
{
    struct px_conf *c = px_conf_open(path, err);
    if (!c)
        return -1;
    s->labels_of_flags = s->label_count;
    if (px_conf_root(c))
        read_root(c, px_conf_root(c), s);
    int result = 0;
    if (px_conf_error_count(c) > 0) {
        char *text = px_conf_errors(c);
        (void)fprintf(stderr, "%s\n", text);
        free(text);
        result = px_err_set(err, "bad-config", "%s has errors; nothing was started", path);
    }
    px_conf_free(c);
    return result;
}
