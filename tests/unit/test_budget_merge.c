/* SPDX-License-Identifier: MIT */
/* Two processes, one budget file: what either has spent counts for both. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe-node/budget.h"

static char path[64];
static struct budget *a, *b;
static struct px_addr target;
static struct px_err err;
static const px_wall now = 1000000 * PX_SEC;

static void open_two(void)
{
    strcpy(path, "/tmp/plx-budget-XXXXXX");
    close(mkstemp(path));
    unlink(path);
    px_addr_parse("192.0.2.1", &target);
    a = budget_new(NULL);
    b = budget_new(NULL);
}
static void close_two(void)
{
    budget_free(a);
    budget_free(b);
    unlink(path);
}
TestSuite(merge, .init = open_two, .fini = close_two);

Test(merge, both_strikes_count)
{
    budget_add_strike(a, &target, 22, now);
    budget_add_strike(b, &target, 22, now + 1);
    cr_assert_eq(budget_merge(a, path, now + 2, &err), 0);
    cr_assert_eq(budget_save(a, path, now + 2, &err), 0);
    cr_assert_eq(budget_merge(b, path, now + 3, &err), 0);
    cr_assert_eq(budget_strikes_used(b, &target, 22, now + 3), 2);
    cr_assert_not(budget_allows_strike(b, &target, 22, now + 3, NULL));
}

Test(merge, the_same_event_counts_once)
{
    budget_add_strike(a, &target, 22, now);
    budget_add_look(a, &target, 22, now);
    budget_add_look(a, &target, 22, now);
    cr_assert_eq(budget_save(a, path, now, &err), 0);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(budget_merge(a, path, now + i, &err), 0);
    cr_assert_eq(budget_strikes_used(a, &target, 22, now + 3), 1);
    cr_assert_eq(budget_allows_looks(a, &target, 22, now + 3, NULL), 3,
                 "two of one moment are two");
}

Test(merge, the_longer_pause_holds)
{
    int64_t wait = 0;
    budget_allows_strike(a, &target, 22, now, NULL);
    budget_pause(a, &target, 22, now + 60 * PX_SEC);
    cr_assert_eq(budget_save(a, path, now, &err), 0);
    budget_allows_strike(b, &target, 22, now, NULL);
    budget_pause(b, &target, 22, now + 30 * PX_SEC);
    cr_assert_eq(budget_merge(b, path, now, &err), 0);
    cr_assert_not(budget_allows_strike(b, &target, 22, now, &wait));
    cr_assert_eq(wait, 60 * PX_SEC);
}

Test(merge, a_damaged_file_leaves_all_as_it_was)
{
    FILE *f = fopen(path, "w");
    fputs("parallax-budget 1\nstrike 192.0", f);
    fclose(f);
    budget_add_strike(a, &target, 22, now);
    cr_assert_eq(budget_merge(a, path, now, &err), -1);
    cr_assert(*err.message);
    cr_assert_eq(budget_strikes_used(a, &target, 22, now), 1);
}
