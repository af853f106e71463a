/* SPDX-License-Identifier: MIT */
/*
 * The node's consent: which targets it may be sent to, whatever the coordinator says. Pure; rules
 * are read in order and the first that fits decides; what fits none is allowed unless there is an
 * `allow` rule.
 */
#ifndef PX_NODE_POLICY_H
#define PX_NODE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

#define POLICY_RULES_MAX 256

struct policy_rule {
    bool allow;
    bool any_address;
    struct px_prefix prefix;
    uint16_t port_first, port_last; /* 0..65535 = every port */
};

struct policy {
    struct policy_rule rules[POLICY_RULES_MAX];
    size_t count;
};

/* "203.0.113.0/24", "[2001:db8::]/32:22", "10.0.0.0/8:1-1023", "*:22", "*". false if it is none of
 * these. */
bool policy_rule_parse(const char *text, bool allow, struct policy_rule *out);
/* May this node send to that address and port? */
bool policy_allows(const struct policy *p, const struct px_addr *a, uint16_t port);

#endif
