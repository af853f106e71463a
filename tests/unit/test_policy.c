/* SPDX-License-Identifier: MIT */
/* Consent rules: what they accept, which one decides, what a node refuses. */
#include <criterion/criterion.h>
#include <string.h>

#include "probe-node/policy.h"

static bool ask(const struct policy *p, const char *address, uint16_t port)
{
    struct px_addr a;
    cr_assert(px_addr_parse(address, &a));
    return policy_allows(p, &a, port);
}

static void add(struct policy *p, const char *text, bool allow)
{
    cr_assert(policy_rule_parse(text, allow, &p->rules[p->count]), "%s", text);
    p->count++;
}

Test(policy, without_rules_everything_is_allowed)
{
    struct policy p = {.count = 0};
    cr_assert(ask(&p, "203.0.113.1", 22));
    cr_assert(ask(&p, "2001:db8::1", 65535));
}

Test(policy, a_deny_rule_leaves_the_rest_open)
{
    struct policy p = {.count = 0};
    add(&p, "10.0.0.0/8", false);
    add(&p, "[2001:db8::]/32:22", false);
    cr_assert_not(ask(&p, "10.255.255.255", 22));
    cr_assert(ask(&p, "11.0.0.0", 22));
    cr_assert_not(ask(&p, "2001:db8:ffff::1", 22));
    cr_assert(ask(&p, "2001:db8:ffff::1", 23));
    cr_assert(ask(&p, "2001:db9::1", 22));
}

Test(policy, an_allow_rule_closes_the_rest)
{
    struct policy p = {.count = 0};
    add(&p, "198.51.100.0/24:20-25", true);
    cr_assert(ask(&p, "198.51.100.7", 20));
    cr_assert(ask(&p, "198.51.100.7", 25));
    cr_assert_not(ask(&p, "198.51.100.7", 26));
    cr_assert_not(ask(&p, "198.51.101.7", 22));
}

Test(policy, the_first_rule_that_fits_decides)
{
    struct policy p = {.count = 0};
    add(&p, "192.0.2.1", true);
    add(&p, "192.0.2.0/24", false);
    add(&p, "*:443", true);
    cr_assert(ask(&p, "192.0.2.1", 22));
    cr_assert_not(ask(&p, "192.0.2.2", 443));
    cr_assert(ask(&p, "203.0.113.1", 443));
    cr_assert_not(ask(&p, "203.0.113.1", 22));
}

Test(policy, nonsense_is_no_rule)
{
    static const char *const bad[] = {"",          "10.0.0.0/33", "example",     "*:",
                                      "*:70000",   "*:9-1",       "*:1-",        "*:1-2-3",
                                      "10.0.0/8",  ":22",         "[2001:db8::", "*:22x",
                                      "10.0.0.0/8/8", "**"};
    struct policy_rule rule;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_not(policy_rule_parse(bad[i], true, &rule), "\"%s\"", bad[i]);
    char endless[4096];
    memset(endless, '1', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    cr_expect_not(policy_rule_parse(endless, true, &rule));
}
