/* SPDX-License-Identifier: MIT */
/* Reading consent rules and asking them; where the rules come from is settings.c. */
#include "probe-node/policy.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"

static bool port_parse(const char *text, char **end, uint16_t *out)
{
    if (*text < '0' || *text > '9')
        return false;
    unsigned long value = strtoul(text, end, 10);
    *out = (uint16_t)value;
    return value <= UINT16_MAX;
}

static bool ports_parse(const char *text, struct policy_rule *rule)
{
    char *end;
    if (!port_parse(text, &end, &rule->port_first))
        return false;
    rule->port_last = rule->port_first;
    if (*end == '-' && !port_parse(end + 1, &end, &rule->port_last))
        return false;
    return *end == '\0' && rule->port_first <= rule->port_last;
}

/* Cut the ports off `text` and parse them; without ports the rule is for all. */
static bool ports_split(char *text, struct policy_rule *rule)
{
    char *close = strchr(text, ']'), *first = strchr(text, ':');
    char *colon = close ? strchr(close, ':') : first;
    rule->port_first = 0;
    rule->port_last = UINT16_MAX;
    if (!colon || (!close && strchr(first + 1, ':')))
        return true; /* no ports, or a bare IPv6 prefix */
    *colon = '\0';
    return ports_parse(colon + 1, rule);
}

/* "[2001:db8::]/32" -> "2001:db8::/32" */
static void brackets_remove(char *text)
{
    char *close = strchr(text, ']');
    if (text[0] != '[' || !close)
        return;
    memmove(close, close + 1, strlen(close));
    memmove(text, text + 1, strlen(text));
}

bool policy_rule_parse(const char *text, bool allow, struct policy_rule *out)
{
    char copy[PX_ADDR_TEXT + 32];
    memset(out, 0, sizeof *out);
    out->allow = allow;
    if (px_text_copy(copy, sizeof copy, text) != 0 || !ports_split(copy, out))
        return false;
    out->any_address = strcmp(copy, "*") == 0;
    brackets_remove(copy);
    return out->any_address || px_prefix_parse(copy, &out->prefix);
}

static bool rule_fits(const struct policy_rule *r, const struct px_addr *a, uint16_t port)
{
    return port >= r->port_first && port <= r->port_last &&
           (r->any_address || px_prefix_contains(&r->prefix, a));
}

bool policy_allows(const struct policy *p, const struct px_addr *a, uint16_t port)
{
    bool closed = false;
    for (size_t i = 0; i < p->count; i++) {
        if (rule_fits(&p->rules[i], a, port))
            return p->rules[i].allow;
        closed = closed || p->rules[i].allow;
    }
    return !closed;
}
