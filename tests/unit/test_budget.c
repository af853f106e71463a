/* SPDX-License-Identifier: MIT */
/* The politeness budget: sliding windows, forgetting, wrong clocks, files. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe-node/budget.h"

#define NOW ((px_wall)1763700000 * PX_SEC)
#define WINDOW (660 * PX_SEC)

static struct px_addr address(unsigned n)
{
    struct px_addr a = {.family = 4, .bytes = {198, 51, 100, 0}};

    a.bytes[1] = (uint8_t)(n >> 16);
    a.bytes[2] = (uint8_t)(n >> 8);
    a.bytes[3] = (uint8_t)n;
    return a;
}

static bool may_strike(struct budget *b, unsigned n, px_wall now)
{
    struct px_addr a = address(n);
    int64_t wait = -1;
    bool may = budget_allows_strike(b, &a, 22, now, &wait);

    cr_assert_eq(may, wait == 0);
    cr_assert(wait >= 0);
    return may;
}

static int64_t strike_wait(struct budget *b, unsigned n, px_wall now)
{
    struct px_addr a = address(n);
    int64_t wait = -1;

    (void)budget_allows_strike(b, &a, 22, now, &wait);
    return wait;
}

static void strike(struct budget *b, unsigned n, px_wall now)
{
    struct px_addr a = address(n);

    budget_add_strike(b, &a, 22, now);
}

static void look(struct budget *b, unsigned n, px_wall now)
{
    struct px_addr a = address(n);

    budget_add_look(b, &a, 22, now);
}

static unsigned looks_left(struct budget *b, unsigned n, px_wall now, int64_t *wait)
{
    struct px_addr a = address(n);

    return budget_allows_looks(b, &a, 22, now, wait);
}

static unsigned strikes_used(struct budget *b, unsigned n, px_wall now)
{
    struct px_addr a = address(n);

    return budget_strikes_used(b, &a, 22, now);
}

/* ---- windows ---- */

Test(budget, has_the_published_defaults)
{
    struct budget_limits l = budget_limits_default();

    cr_assert_eq(l.strikes, 2U);
    cr_assert_eq(l.strike_window, WINDOW);
    cr_assert_eq(l.looks, 5U);
    cr_assert_eq(l.look_window, 30 * PX_SEC);
    cr_assert_eq(l.targets_max, 20000U);
}

Test(budget, allows_two_strikes_in_any_window)
{
    struct budget *b = budget_new(NULL);

    cr_assert(may_strike(b, 1, NOW));
    strike(b, 1, NOW);
    cr_assert(may_strike(b, 1, NOW + 600 * PX_SEC));
    strike(b, 1, NOW + 600 * PX_SEC);
    cr_assert_not(may_strike(b, 1, NOW + 600 * PX_SEC));
    cr_assert_eq(strike_wait(b, 1, NOW + 600 * PX_SEC), 60 * PX_SEC);
    cr_assert_not(may_strike(b, 1, NOW + WINDOW - 1));
    cr_assert(may_strike(b, 1, NOW + WINDOW));
    /* no bucket refills: the second one still stands in the window */
    strike(b, 1, NOW + WINDOW);
    cr_assert_eq(strike_wait(b, 1, NOW + WINDOW), 600 * PX_SEC);
    cr_assert_eq(strikes_used(b, 1, NOW + WINDOW), 2U);
    cr_assert_eq(strikes_used(b, 1, NOW + 600 * PX_SEC + WINDOW), 1U);
    cr_assert_eq(strikes_used(b, 1, NOW + 2 * WINDOW), 0U);
    budget_free(b);
}

Test(budget, allows_five_looks_in_any_window)
{
    struct budget *b = budget_new(NULL);
    int64_t wait = -1;

    for (unsigned i = 0; i < 5; i++) {
        cr_assert_eq(looks_left(b, 1, NOW + i * PX_SEC, &wait), 5 - i);
        cr_assert_eq(wait, 0);
        look(b, 1, NOW + i * PX_SEC);
    }
    cr_assert_eq(looks_left(b, 1, NOW + 5 * PX_SEC, &wait), 0U);
    cr_assert_eq(wait, 25 * PX_SEC);
    cr_assert_eq(looks_left(b, 1, NOW + 30 * PX_SEC - 1, &wait), 0U);
    cr_assert_eq(wait, 1);
    cr_assert_eq(looks_left(b, 1, NOW + 30 * PX_SEC, NULL), 1U);
    cr_assert_eq(looks_left(b, 1, NOW + 34 * PX_SEC, NULL), 5U);
    cr_assert(may_strike(b, 1, NOW + 5 * PX_SEC), "looks are no strikes");
    budget_free(b);
}

Test(budget, keeps_addresses_ports_and_families_apart)
{
    struct px_addr four, six, mapped;
    struct budget *b = budget_new(NULL);

    cr_assert(px_addr_parse("192.0.2.1", &four));
    cr_assert(px_addr_parse("2001:db8::1", &six));
    cr_assert(px_addr_parse("c000:201::", &mapped)); /* the bytes of `four` */
    budget_add_strike(b, &four, 22, NOW);
    budget_add_strike(b, &four, 22, NOW);
    cr_assert_not(budget_allows_strike(b, &four, 22, NOW, NULL));
    cr_assert(budget_allows_strike(b, &four, 2222, NOW, NULL));
    cr_assert(budget_allows_strike(b, &six, 22, NOW, NULL));
    cr_assert(budget_allows_strike(b, &mapped, 22, NOW, NULL));
    budget_free(b);
}

Test(budget, counts_what_was_spent_beyond_the_limit)
{
    struct budget *b = budget_new(NULL);

    for (int i = 0; i < 5; i++)
        strike(b, 1, NOW + i * PX_SEC);
    cr_assert_eq(strikes_used(b, 1, NOW + 5 * PX_SEC), 5U);
    /* the fourth must leave the window, not the first */
    cr_assert_eq(strike_wait(b, 1, NOW + 5 * PX_SEC), WINDOW - 2 * PX_SEC);
    for (int i = 0; i < 3 * BUDGET_TIMES_MAX; i++)
        strike(b, 1, NOW + (6 + i) * PX_SEC);
    cr_assert_eq(strikes_used(b, 1, NOW + 200 * PX_SEC), (unsigned)BUDGET_TIMES_MAX);
    cr_assert_not(may_strike(b, 1, NOW + 200 * PX_SEC));
    budget_free(b);
}

Test(budget, never_allows_what_is_set_to_none)
{
    struct budget_limits l = budget_limits_default();
    struct budget *b;
    int64_t wait = 0;

    l.strikes = 0;
    l.looks = 0;
    b = budget_new(&l);
    cr_assert_eq(strike_wait(b, 1, NOW), WINDOW);
    cr_assert_eq(looks_left(b, 1, NOW, &wait), 0U);
    cr_assert_eq(wait, 30 * PX_SEC);
    budget_free(b);
}

/* Against a plain list of everything that ever happened, on random traffic. */
Test(budget, agrees_with_counting_by_hand)
{
    static px_wall at[4][4096];
    unsigned count[4] = {0}, refused = 0;
    struct budget *b = budget_new(NULL);
    px_wall now = NOW;

    srandom(1);
    for (int i = 0; i < 8000; i++) {
        unsigned n = (unsigned)random() % 4, inside = 0;
        int64_t wait;

        now += random() % (120 * PX_SEC);
        for (unsigned k = 0; k < count[n]; k++)
            inside += now - at[n][k] < WINDOW;
        cr_assert_eq(strikes_used(b, n, now), inside);
        cr_assert_eq(may_strike(b, n, now), inside < 2);
        wait = strike_wait(b, n, now);
        if (wait > 0) {
            refused++;
            cr_assert_not(may_strike(b, n, now + wait - 1));
            cr_assert(may_strike(b, n, now + wait));
            now += wait;
        }
        strike(b, n, now);
        at[n][count[n]++] = now;
    }
    cr_assert(refused > 500, "only %u refused", refused);
    budget_free(b);
}

/* ---- pauses ---- */

Test(budget, pauses_strikes_but_not_looks)
{
    struct px_addr a = address(1);
    struct budget *b = budget_new(NULL);

    cr_assert(may_strike(b, 1, NOW));
    budget_pause(b, &a, 22, NOW + 600 * PX_SEC);
    budget_pause(b, &a, 22, NOW + 60 * PX_SEC); /* never shorter */
    cr_assert_eq(strike_wait(b, 1, NOW), 600 * PX_SEC);
    cr_assert_eq(looks_left(b, 1, NOW, NULL), 5U);
    cr_assert_not(may_strike(b, 1, NOW + 600 * PX_SEC - 1));
    cr_assert(may_strike(b, 1, NOW + 600 * PX_SEC));
    budget_free(b);
}

Test(budget, waits_for_the_longer_of_pause_and_window)
{
    struct px_addr a = address(1);
    struct budget *b = budget_new(NULL);

    strike(b, 1, NOW);
    strike(b, 1, NOW);
    budget_pause(b, &a, 22, NOW + 60 * PX_SEC);
    cr_assert_eq(strike_wait(b, 1, NOW), WINDOW);
    budget_pause(b, &a, 22, NOW + 900 * PX_SEC);
    cr_assert_eq(strike_wait(b, 1, NOW), 900 * PX_SEC);
    budget_free(b);
}

Test(budget, cuts_an_endless_pause)
{
    struct px_addr a = address(1);
    struct budget *b = budget_new(NULL);

    budget_pause(b, &a, 22, INT64_MAX);
    cr_assert_eq(strike_wait(b, 1, NOW), BUDGET_PAUSE_MAX);
    cr_assert(may_strike(b, 1, NOW + BUDGET_PAUSE_MAX));
    budget_free(b);
}

/* ---- a clock that goes wrong ---- */

Test(budget, treats_the_future_as_now_when_the_clock_goes_back)
{
    px_wall earlier = NOW - 86400 * PX_SEC;
    struct budget *b = budget_new(NULL);

    strike(b, 1, NOW);
    strike(b, 1, NOW);
    for (int i = 0; i < 5; i++)
        look(b, 1, NOW);
    cr_assert_eq(strike_wait(b, 1, earlier), WINDOW); /* a window, not a day */
    cr_assert_eq(looks_left(b, 1, earlier, NULL), 0U);
    cr_assert_not(may_strike(b, 1, earlier + WINDOW - 1));
    cr_assert(may_strike(b, 1, earlier + WINDOW));
    cr_assert_eq(looks_left(b, 1, earlier + 30 * PX_SEC, NULL), 5U);
    budget_free(b);
}

Test(budget, keeps_counting_when_the_clock_goes_back_between_strikes)
{
    struct budget *b = budget_new(NULL);

    strike(b, 1, NOW);
    strike(b, 1, NOW - 3600 * PX_SEC);
    cr_assert_eq(strikes_used(b, 1, NOW - 3600 * PX_SEC), 2U);
    cr_assert_not(may_strike(b, 1, NOW - 3600 * PX_SEC + WINDOW - 1));
    cr_assert(may_strike(b, 1, NOW - 3600 * PX_SEC + WINDOW));
    budget_free(b);
}

/* ---- remembering and forgetting ---- */

static struct budget *small_budget(unsigned targets_max)
{
    struct budget_limits l = budget_limits_default();

    l.targets_max = targets_max;
    return budget_new(&l);
}

Test(budget, forgets_the_oldest_idle_target_first)
{
    struct budget *b = small_budget(3);

    strike(b, 1, NOW);              /* busy until 660 */
    look(b, 2, NOW + 1);            /* idle at 31 */
    look(b, 3, NOW + 100 * PX_SEC); /* idle at 130 */
    cr_assert(may_strike(b, 4, NOW + 120 * PX_SEC), "2 is idle, so there is room");
    strike(b, 4, NOW + 120 * PX_SEC);
    cr_assert_eq(strikes_used(b, 1, NOW + 120 * PX_SEC), 1U);
    cr_assert_eq(looks_left(b, 3, NOW + 120 * PX_SEC, NULL), 4U);
    budget_free(b);
}

Test(budget, makes_newcomers_wait_when_every_place_is_needed)
{
    struct budget *b = small_budget(3);
    int64_t wait = -1;

    for (unsigned n = 1; n <= 3; n++)
        strike(b, n, NOW + n * PX_SEC);
    cr_assert_eq(strike_wait(b, 4, NOW + 10 * PX_SEC), WINDOW - 9 * PX_SEC);
    cr_assert_eq(looks_left(b, 4, NOW + 10 * PX_SEC, &wait), 0U);
    cr_assert_eq(wait, WINDOW - 9 * PX_SEC);
    cr_assert(may_strike(b, 1, NOW + 10 * PX_SEC), "who is known is not concerned");
    cr_assert(may_strike(b, 4, NOW + PX_SEC + WINDOW));
    /* what did happen is remembered in any case: the oldest goes */
    strike(b, 4, NOW + 10 * PX_SEC);
    strike(b, 4, NOW + 10 * PX_SEC);
    cr_assert_not(may_strike(b, 4, NOW + 10 * PX_SEC));
    cr_assert_eq(strikes_used(b, 1, NOW + 10 * PX_SEC), 0U);
    cr_assert_eq(strikes_used(b, 2, NOW + 10 * PX_SEC), 1U);
    budget_free(b);
}

Test(budget, remembers_twenty_thousand_targets_and_no_more)
{
    struct budget *b = budget_new(NULL);
    unsigned remembered = 0;

    for (unsigned n = 0; n < 20010; n++)
        strike(b, n, NOW + n);
    for (unsigned n = 0; n < 20010; n++)
        remembered += strikes_used(b, n, NOW + 20010);
    cr_assert_eq(remembered, 20000U);
    cr_assert_eq(strikes_used(b, 9, NOW + 20010), 0U);
    cr_assert_eq(strikes_used(b, 10, NOW + 20010), 1U);
    cr_assert_not(may_strike(b, 30000, NOW + 20010));
    budget_free(b);
}

Test(budget, keeps_at_least_one_target)
{
    struct budget *b = small_budget(0);

    strike(b, 1, NOW);
    strike(b, 1, NOW);
    cr_assert_not(may_strike(b, 1, NOW));
    budget_free(b);
    budget_free(NULL);
}

/* ---- files ---- */

struct folder {
    char path[64], file[96];
};

static void folder_open(struct folder *f)
{
    snprintf(f->path, sizeof(f->path), "/tmp/parallax-budget-XXXXXX");
    cr_assert_not_null(mkdtemp(f->path));
    snprintf(f->file, sizeof(f->file), "%s/budget", f->path);
}

static void folder_close(const struct folder *f)
{
    (void)unlink(f->file);
    cr_assert_eq(rmdir(f->path), 0, "something was left behind in %s", f->path);
}

static void write_file(const struct folder *f, const char *text, size_t len)
{
    FILE *file = fopen(f->file, "w");

    cr_assert_not_null(file);
    cr_assert_eq(fwrite(text, 1, len, file), len);
    cr_assert_eq(fclose(file), 0);
}

static size_t read_file(const struct folder *f, char *out, size_t size)
{
    FILE *file = fopen(f->file, "r");
    size_t len;

    cr_assert_not_null(file);
    len = fread(out, 1, size - 1, file);
    out[len] = '\0';
    cr_assert_eq(fclose(file), 0);
    return len;
}

static struct budget *filled(void)
{
    struct budget *b = budget_new(NULL);
    struct px_addr a = address(3), six;

    cr_assert(px_addr_parse("2001:db8::22", &six));
    strike(b, 1, NOW);
    strike(b, 1, NOW + 5);
    look(b, 2, NOW + 6);
    cr_assert(may_strike(b, 3, NOW + 7));
    budget_pause(b, &a, 22, NOW + 600 * PX_SEC);
    budget_add_strike(b, &six, 65535, NOW + 8);
    return b;
}

Test(budget, survives_a_restart)
{
    struct budget *b = filled(), *again = budget_new(NULL);
    struct px_err err = {0};
    struct folder f;
    struct stat st;
    char first[1024], second[1024];

    folder_open(&f);
    cr_assert_eq(budget_save(b, f.file, NOW + 10, &err), 0, "%s", err.message);
    cr_assert_eq(stat(f.file, &st), 0);
    cr_assert_eq(st.st_mode & 0777U, 0600U);
    read_file(&f, first, sizeof(first));
    cr_assert_eq(strncmp(first, "parallax-budget 1\n", 18), 0);

    strike(again, 9, NOW); /* replaced by what is loaded */
    cr_assert_eq(budget_load(again, f.file, NOW + 10, &err), 0, "%s", err.message);
    cr_assert_eq(strikes_used(again, 9, NOW + 10), 0U);
    cr_assert_eq(strike_wait(again, 1, NOW + 10), WINDOW - 10);
    cr_assert_eq(looks_left(again, 2, NOW + 10, NULL), 4U);
    cr_assert_eq(strike_wait(again, 3, NOW + 10), 600 * PX_SEC - 10);
    cr_assert_eq(budget_save(again, f.file, NOW + 10, &err), 0);
    read_file(&f, second, sizeof(second));
    cr_assert_str_eq(first, second);
    folder_close(&f);
    budget_free(b);
    budget_free(again);
}

Test(budget, saves_and_loads_only_what_still_matters)
{
    struct budget *b = filled();
    struct folder f;
    char text[1024];

    folder_open(&f);
    cr_assert_eq(budget_save(b, f.file, NOW + 40 * PX_SEC, NULL), 0);
    read_file(&f, text, sizeof(text));
    cr_assert_null(strstr(text, "look"), "%s", text);
    cr_assert_not_null(strstr(text, "strike 2001:db8::22 65535 "), "%s", text);
    cr_assert_not_null(strstr(text, "\nend 4\n"), "%s", text);
    cr_assert_eq(budget_load(b, f.file, NOW + 2 * WINDOW, NULL), 0);
    cr_assert_eq(budget_save(b, f.file, NOW + 2 * WINDOW, NULL), 0);
    read_file(&f, text, sizeof(text));
    cr_assert_str_eq(text, "parallax-budget 1\nend 0\n");
    folder_close(&f);
    budget_free(b);
}

Test(budget, loads_under_a_clock_that_went_back)
{
    px_wall earlier = NOW - 86400 * PX_SEC;
    struct budget *b = filled();
    struct folder f;

    folder_open(&f);
    cr_assert_eq(budget_save(b, f.file, NOW + 10, NULL), 0);
    cr_assert_eq(budget_load(b, f.file, earlier, NULL), 0);
    cr_assert_eq(strike_wait(b, 1, earlier), WINDOW);
    cr_assert_eq(strike_wait(b, 3, earlier), BUDGET_PAUSE_MAX);
    cr_assert_eq(looks_left(b, 2, earlier, NULL), 4U);
    folder_close(&f);
    budget_free(b);
}

Test(budget, loads_no_more_targets_than_it_may_remember)
{
    struct budget *b = small_budget(10), *big = budget_new(NULL);
    unsigned remembered = 0;
    struct folder f;

    folder_open(&f);
    for (unsigned n = 0; n < 100; n++)
        strike(big, n, NOW + n);
    cr_assert_eq(budget_save(big, f.file, NOW + 100, NULL), 0);
    cr_assert_eq(budget_load(b, f.file, NOW + 100, NULL), 0);
    for (unsigned n = 0; n < 100; n++)
        remembered += strikes_used(b, n, NOW + 100);
    cr_assert_eq(remembered, 10U);
    cr_assert_eq(strikes_used(b, 99, NOW + 100), 1U, "the newest are kept");
    folder_close(&f);
    budget_free(b);
    budget_free(big);
}

Test(budget, takes_a_missing_file_for_an_empty_budget)
{
    struct budget *b = filled();
    struct px_err err = {0};
    struct folder f;

    folder_open(&f);
    cr_assert_eq(budget_load(b, f.file, NOW, &err), 0);
    cr_assert_str_eq(err.code, "");
    cr_assert(may_strike(b, 1, NOW));
    folder_close(&f);
    budget_free(b);
}

#define HEAD "parallax-budget 1\n"

static const struct {
    const char *text, *where, *what;
} damaged[] = {
    {"", ":1:", "no version line"},
    {"\n", ":1:", "first line must be"},
    {"parallax-budget 2\nend 0\n", ":1:", "another version"},
    {"parallax-budget x\nend 0\n", ":1:", "first line must be"},
    {"<html>\n", ":1:", "first line must be"},
    {HEAD, ":2:", "cut off"},
    {HEAD "strike 192.0.2.1 22 5\n", ":3:", "cut off"},
    {HEAD "strike 192.0.2.1 22 5", ":2:", "cut off"},
    {HEAD "strike 192.0.2.1 22 5\nend 1", ":3:", "cut off"},
    {HEAD "strike 192.0.2.1 22 5\nend 2\n", ":3:", "number of lines"},
    {HEAD "end 1\n", ":2:", "number of lines"},
    {HEAD "end\n", ":2:", "expected strike"},
    {HEAD "end x\n", ":2:", "number of lines"},
    {HEAD "end 0\nend 0\n", ":3:", "something follows"},
    {HEAD "\nend 0\n", ":2:", "expected strike"},
    {HEAD "strike 192.0.2.1 22 5\nstroke 192.0.2.1 22 5\nend 2\n", ":3:", "expected strike"},
    {HEAD "strike\nend 1\n", ":2:", "not an address"},
    {HEAD "strike 192.0.2.256 22 5\nend 1\n", ":2:", "not an address"},
    {HEAD "look 192.0.2.1\nend 1\n", ":2:", "not a port"},
    {HEAD "look 192.0.2.1 0 5\nend 1\n", ":2:", "not a port"},
    {HEAD "look 192.0.2.1 65536 5\nend 1\n", ":2:", "not a port"},
    {HEAD "look 192.0.2.1 22\nend 1\n", ":2:", "not a time"},
    {HEAD "look 192.0.2.1 22 -5\nend 1\n", ":2:", "not a time"},
    {HEAD "look 192.0.2.1 22 99999999999999999999\nend 1\n", ":2:", "not a time"},
    {HEAD "pause 192.0.2.1 22 5x\nend 1\n", ":2:", "not a time"},
    {HEAD "pause 192.0.2.1 22 5 6\nend 1\n", ":2:", "more than four"},
};

Test(budget, names_the_line_of_a_damaged_file_and_stays_as_it_was)
{
    struct budget *b = filled();
    struct folder f;

    folder_open(&f);
    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        struct px_err err = {0};
        char where[128];

        write_file(&f, damaged[i].text, strlen(damaged[i].text));
        cr_assert_eq(budget_load(b, f.file, NOW + 10, &err), -1, "%s", damaged[i].text);
        cr_assert_str_eq(err.code, "bad-budget-file");
        snprintf(where, sizeof(where), "%s%s", f.file, damaged[i].where);
        cr_assert_not_null(strstr(err.message, where), "[%s]: %s", damaged[i].text, err.message);
        cr_assert_not_null(strstr(err.message, damaged[i].what), "[%s]: %s", damaged[i].text,
                           err.message);
        cr_assert_not_null(strstr(err.hint, f.file));
        cr_assert_eq(strikes_used(b, 1, NOW + 10), 2U);
    }
    folder_close(&f);
    budget_free(b);
}

Test(budget, notices_wherever_a_file_was_cut_off)
{
    struct budget *b = filled();
    struct folder f;
    char text[1024];
    size_t len;

    folder_open(&f);
    cr_assert_eq(budget_save(b, f.file, NOW + 10, NULL), 0);
    len = read_file(&f, text, sizeof(text));
    for (size_t cut = 0; cut < len; cut++) {
        write_file(&f, text, cut);
        cr_assert_eq(budget_load(b, f.file, NOW + 10, NULL), -1, "cut at %zu", cut);
    }
    write_file(&f, text, len);
    cr_assert_eq(budget_load(b, f.file, NOW + 10, NULL), 0);
    folder_close(&f);
    budget_free(b);
}

Test(budget, refuses_endless_lines_and_bytes_that_are_no_text)
{
    struct budget *b = budget_new(NULL);
    struct px_err err = {0};
    char text[4096] = HEAD;
    struct folder f;

    folder_open(&f);
    memset(text + 18, 'x', sizeof(text) - 18);
    write_file(&f, text, sizeof(text));
    cr_assert_eq(budget_load(b, f.file, NOW, &err), -1);
    cr_assert_not_null(strstr(err.message, ":2:"), "%s", err.message);
    write_file(&f, HEAD "strike\0 192.0.2.1 22 5\nend 1\n", 48);
    cr_assert_eq(budget_load(b, f.file, NOW, &err), -1);
    cr_assert_not_null(strstr(err.message, ":2:"), "%s", err.message);
    folder_close(&f);
    budget_free(b);
}

Test(budget, says_why_a_file_cannot_be_read_or_written)
{
    struct budget *b = filled();
    struct px_err err = {0};
    char below[128];
    struct folder f;

    folder_open(&f);
    cr_assert_eq(budget_load(b, f.path, NOW, &err), -1);
    cr_assert_str_eq(err.code, "budget-unreadable");
    cr_assert_not_null(strstr(err.message, "not a regular file"), "%s", err.message);
    cr_assert_eq(mkfifo(f.file, 0600), 0);
    cr_assert_eq(budget_load(b, f.file, NOW, &err), -1);
    cr_assert_eq(unlink(f.file), 0);

    snprintf(below, sizeof(below), "%s/no/budget", f.path);
    cr_assert_eq(budget_save(b, below, NOW, &err), -1);
    cr_assert_str_eq(err.code, "budget-not-saved");
    cr_assert_not_null(strstr(err.message, "No such file"), "%s", err.message);
    /* a folder in its place: nothing half-written is left */
    cr_assert_eq(mkdir(f.file, 0700), 0);
    cr_assert_eq(budget_save(b, f.file, NOW, &err), -1);
    cr_assert_eq(rmdir(f.file), 0);
    cr_assert_eq(strikes_used(b, 1, NOW + 10), 2U);
    folder_close(&f);
    budget_free(b);
}

Test(budget, keeps_the_old_file_when_the_disk_is_full)
{
    struct rlimit full = {.rlim_cur = 20, .rlim_max = RLIM_INFINITY};
    struct budget *b = filled(), *other = budget_new(NULL);
    struct px_err err = {0};
    char before[1024], after[1024];
    struct folder f;

    folder_open(&f);
    cr_assert_eq(budget_save(b, f.file, NOW + 10, &err), 0);
    read_file(&f, before, sizeof(before));
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &full), 0);
    strike(other, 7, NOW);
    cr_assert_eq(budget_save(other, f.file, NOW + 10, &err), -1);
    full.rlim_cur = RLIM_INFINITY;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &full), 0);
    cr_assert_not_null(strstr(err.message, "File too large"), "%s", err.message);
    read_file(&f, after, sizeof(after));
    cr_assert_str_eq(before, after);
    folder_close(&f);
    budget_free(b);
    budget_free(other);
}
