/* SPDX-License-Identifier: MIT */
/* Reading the command line: what is accepted, and that every complaint says what is right. */
#include <criterion/criterion.h>
#include <string.h>

#include "cli/cmd.h"

static const struct flag_spec own[] = {
    {"from", 0, "SELECTOR", ""}, {"fresh", 0, NULL, ""},   {"timeout", 0, "TIME", ""},
    {"rounds", 0, "N", ""},      {"port", 0, "N[,N]", ""}, {"output", 'o', "FORMAT", ""},
    {"verbose", 'v', NULL, ""},  {NULL, 0, NULL, NULL},
};
static const struct flag_spec global[] = {
    {"config", 0, "FILE", ""}, {"help", 'h', NULL, ""}, {NULL, 0, NULL, NULL}};

static struct flags f;
static struct px_err err;

/* Words up to NULL; returns what flags_parse returns. */
static int parse(bool only_front, const char *const *words)
{
    int n = 0;
    while (words[n])
        n++;
    px_err_clear(&err);
    flags_init(&f);
    return flags_parse(&f, own, global, n, (char **)words, only_front, &err);
}
#define PARSE(...) parse(false, (const char *const[]){__VA_ARGS__, NULL})

static void clear(void)
{
    flags_clear(&f);
}
TestSuite(flags, .fini = clear);

Test(flags, forms_of_values)
{
    cr_assert_eq(PARSE("--from", "a", "--from=b", "-o", "json", "-otsv", "-o=wide"), 7);
    cr_assert_eq(f.given_count, 5);
    cr_assert_str_eq(f.given[0].value, "a");
    cr_assert_str_eq(flags_text(&f, "from"), "b", "the last one counts");
    cr_assert_str_eq(f.given[3].value, "tsv");
    cr_assert_str_eq(f.given[4].value, "wide");
    cr_assert_eq(f.word_count, 0);
}

Test(flags, words_stand_anywhere_and_two_dashes_end_flags)
{
    cr_assert_eq(PARSE("one", "-v", "-", "--fresh", "--", "--from", "-x"), 7);
    cr_assert_eq(f.word_count, 4);
    cr_assert_str_eq(f.words[0], "one");
    cr_assert_str_eq(f.words[1], "-");
    cr_assert_str_eq(f.words[2], "--from");
    cr_assert(flags_has(&f, "verbose") && flags_has(&f, "fresh") && !flags_has(&f, "from"));
}

Test(flags, front_only_stops_at_the_command)
{
    const char *const words[] = {"--config", "x.yml", "check", "--from", "a", NULL};
    cr_assert_eq(parse(true, words), 2);
    cr_assert_str_eq(flags_text(&f, "config"), "x.yml");
}

Test(flags, switches_combine)
{
    cr_assert_eq(PARSE("-vhojson"), 1);
    cr_assert(flags_has(&f, "verbose") && flags_has(&f, "help"));
    cr_assert_str_eq(flags_text(&f, "output"), "json");
}

Test(flags, complaints)
{
    static const struct {
        const char *words[3], *message;
    } cases[] = {
        {{"--form", "x"}, "no flag \"--form\"; did you mean \"--from\"?"},
        {{"--zzzzzz"}, "no flag \"--zzzzzz\""},
        {{"-q"}, "no flag \"-q\""},
        {{"--from"}, "--from needs a value: --from SELECTOR"},
        {{"--from", "--fresh"}, "--from needs a value: --from SELECTOR"},
        {{"--from="}, "--from needs a value: --from SELECTOR"},
        {{"--fresh=yes"}, "--fresh takes no value"},
        {{"-o"}, "--output needs a value: --output FORMAT"},
        {{"--\033[31m"}, "no flag \"--\\x1b[31m\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_assert_eq(parse(false, cases[i].words), -1, "case %zu was accepted", i);
        cr_assert_str_eq(err.message, cases[i].message);
        cr_assert_str_eq(err.code, "bad-flag");
        flags_clear(&f);
    }
}

Test(flags, durations_and_numbers_have_limits)
{
    int64_t ns = 7;
    long n = 7;
    cr_assert_eq(PARSE("--timeout", "1.5s", "--rounds", "3"), 4);
    cr_assert_eq(flags_duration(&f, "timeout", PX_MS, 60 * PX_SEC, &ns, &err), 0);
    cr_assert_eq(ns, 1500 * PX_MS);
    cr_assert_eq(flags_duration(&f, "timeout", 2 * PX_SEC, 60 * PX_SEC, &ns, &err), -1);
    cr_assert_str_eq(err.message, "--timeout 1.5s is not between 2s and 60s");
    cr_assert_eq(flags_integer(&f, "rounds", 1, 8, &n, &err), 0);
    cr_assert_eq(n, 3);
    cr_assert_eq(flags_integer(&f, "rounds", 4, 8, &n, &err), -1);
    cr_assert_str_eq(err.message, "--rounds 3 is not a whole number from 4 to 8");
    flags_clear(&f);
    cr_assert_eq(PARSE("--timeout", "10", "--rounds", "3x"), 4);
    cr_assert_eq(flags_duration(&f, "timeout", 0, 60 * PX_SEC, &ns, &err), -1);
    cr_assert_str_eq(err.message, "--timeout 10 has no unit; write 10s or 10ms");
    cr_assert_eq(flags_integer(&f, "rounds", 1, 8, &n, &err), -1);
    cr_assert_eq(n, 3, "left as it was");
    flags_clear(&f);
    cr_assert_eq(PARSE("-v"), 1);
    cr_assert_eq(flags_duration(&f, "timeout", 0, 1, &ns, &err), 0, "not given is fine");
}

Test(flags, ports)
{
    uint16_t ports[2];
    cr_assert_eq(PARSE("--port", "2222,22022"), 2);
    cr_assert_eq(flags_ports(&f, "port", ports, 2, &err), 2);
    cr_assert(ports[0] == 2222 && ports[1] == 22022);
    cr_assert_eq(flags_ports(&f, "port", ports, 1, &err), -1);
    static const char *const bad[] = {"0", "65536", "22,", "a",
                                      ",", "22x",   "-1",  "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        flags_clear(&f);
        cr_assert_eq(PARSE("--port", bad[i]), 2);
        cr_assert_eq(flags_ports(&f, "port", ports, 2, &err), -1, "%s was accepted", bad[i]);
        cr_assert_str_eq(err.code, "bad-port");
    }
}

Test(exit_code, first_of_2_4_1_3_wins)
{
    cr_assert_eq(cmd_graver(CMD_YES, CMD_UNKNOWN), CMD_UNKNOWN);
    cr_assert_eq(cmd_graver(CMD_UNKNOWN, CMD_NO), CMD_NO);
    cr_assert_eq(cmd_graver(CMD_NO, CMD_COORDINATOR), CMD_COORDINATOR);
    cr_assert_eq(cmd_graver(CMD_COORDINATOR, CMD_MISUSE), CMD_MISUSE);
    cr_assert_eq(cmd_graver(CMD_MISUSE, CMD_INTERRUPTED), CMD_INTERRUPTED);
    cr_assert_eq(cmd_exit_of(PX_STATUS_REACHABLE), 0);
    cr_assert_eq(cmd_exit_of(PX_STATUS_PARTIAL), 1);
    cr_assert_eq(cmd_exit_of(PX_STATUS_UNREACHABLE), 1);
    cr_assert_eq(cmd_exit_of(PX_STATUS_INCONCLUSIVE), 3);
}

Test(commands, table_is_complete_and_helpful)
{
    for (size_t i = 0; cmd_table[i]; i++) {
        const struct cmd *cmd = cmd_table[i];
        cr_assert_eq(cmd_find(cmd->name), cmd);
        cr_assert(cmd->run && *cmd->summary && strncmp(cmd->examples, "  plx ", 6) == 0);
        cr_assert_eq(strncmp(cmd->synopsis, cmd->name, strlen(cmd->name)), 0);
        for (const struct flag_spec *flag = cmd->flags; flag && flag->name; flag++)
            cr_assert(*flag->help, "%s --%s has no help", cmd->name, flag->name);
    }
    cr_assert_null(cmd_find("chekc"));
}
