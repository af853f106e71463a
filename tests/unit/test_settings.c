/* SPDX-License-Identifier: MIT */
/* What the operator of a node may say, and every complaint about it. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe-node/settings.h"

static struct settings s;
static char path[64];

static void setup(void)
{
    settings_init(&s);
    snprintf(path, sizeof(path), "/tmp/parallax-settings-XXXXXX");
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    close(fd);
    cr_redirect_stderr();
}

static void teardown(void)
{
    unlink(path);
}

TestSuite(settings, .init = setup, .fini = teardown);

static int read_text(const char *text, struct px_err *err)
{
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
    return settings_read_file(&s, path, err);
}

static void assert_complaints(const char *text, const char *const *words, size_t n)
{
    char said[8192];
    struct px_err err = {"", "", ""};
    cr_assert_eq(read_text(text, &err), -1);
    cr_assert_str_eq(err.code, "bad-config");
    cr_assert_not_null(strstr(err.message, path));
    fflush(stderr);
    FILE *f = cr_get_redirected_stderr();
    size_t length = fread(said, 1, sizeof(said) - 1, f);
    said[length] = '\0';
    for (size_t i = 0; i < n; i++)
        cr_assert_not_null(strstr(said, words[i]), "\"%s\" lacks \"%s\"", said, words[i]);
}

Test(settings, a_whole_file_is_read)
{
    struct px_err err = {"", "", ""};
    struct px_addr a;
    cr_assert_eq(read_text("name: fra1\n"
                           "labels: [asn=64496, eu, site=Frankfurt/2]\n"
                           "references: [ref.example.net:443, \"[2001:db8::1]:22\"]\n"
                           "budget: {strikes: 1, strike_window: 20m, looks: 3, look_window: 1m}\n"
                           "policy:\n"
                           "  deny: [10.0.0.0/8, \"*:25\"]\n",
                           &err),
                 0, "%s", err.message);
    cr_assert_str_eq(s.name, "fra1");
    cr_assert_eq(s.label_count, 3);
    cr_assert_str_eq(s.labels[0].key, "asn");
    cr_assert_str_eq(s.labels[0].value, "64496");
    cr_assert_str_eq(s.labels[1].value, "");
    cr_assert_eq(s.prober.reference_count, 2);
    cr_assert_eq(s.budget.strikes, 1);
    cr_assert_eq(s.budget.strike_window, 1200 * PX_SEC);
    cr_assert_eq(s.budget.looks, 3);
    cr_assert(px_addr_parse("10.1.2.3", &a));
    cr_assert_not(policy_allows(&s.policy, &a, 22));
    cr_assert(px_addr_parse("192.0.2.1", &a));
    cr_assert(policy_allows(&s.policy, &a, 22));
    cr_assert_not(policy_allows(&s.policy, &a, 25));
}

Test(settings, an_empty_file_changes_nothing)
{
    struct px_err err = {"", "", ""};
    struct budget_limits usual = budget_limits_default();
    cr_assert_eq(read_text("", &err), 0, "%s", err.message);
    cr_assert_eq(s.budget.strikes, usual.strikes);
    cr_assert_eq(s.policy.count, 0);
}

Test(settings, the_command_line_goes_before_the_file)
{
    struct px_err err = {"", "", ""};
    cr_assert_eq(settings_set_name(&s, "one", &err), 0);
    cr_assert_eq(settings_add_label(&s, "region=eu", &err), 0);
    cr_assert_eq(read_text("name: two\nlabels: [region=us, asn=1]\n", &err), 0, "%s", err.message);
    cr_assert_str_eq(s.name, "one");
    cr_assert_eq(s.label_count, 2);
    cr_assert_str_eq(s.labels[0].value, "eu");
    cr_assert_str_eq(s.labels[1].key, "asn");
}

Test(settings, all_errors_are_told_at_once)
{
    static const char *const words[] = {"cannot be the name",
                                        "is not a label",
                                        "is not a reference",
                                        "unit",
                                        "unknown key \"strike\"",
                                        "is not a rule",
                                        "unknown key \"lables\"",
                                        "did you mean \"labels\"",
                                        ":1:",
                                        ":8:",
                                        "7 errors"};
    assert_complaints("name: Fra 1\n"
                      "labels: [\"a b\"]\n"
                      "references: [nowhere]\n"
                      "budget:\n"
                      "  strike_window: 660\n"
                      "  strike: 2\n"
                      "policy: {deny: [nonsense]}\n"
                      "lables: []\n",
                      words, sizeof(words) / sizeof(words[0]));
}

Test(settings, a_key_of_the_wrong_kind_is_not_ignored)
{
    static const char *const words[] = {"budget must hold keys", "policy must hold keys",
                                        "labels must be a list"};
    assert_complaints("budget: 5\npolicy: [10.0.0.0/8]\nlabels: eu\n", words, 3);
}

Test(settings, a_file_that_is_no_map_is_not_ignored)
{
    static const char *const words[] = {"must hold keys"};
    assert_complaints("- name\n- fra1\n", words, 1);
}

Test(settings, labels_are_checked_and_counted)
{
    struct px_err err = {"", "", ""};
    static const char *const bad[] = {"",          "=x",  "a b",    "a=b c",    "a,b",
                                      "a=\x1b[1m", "a+b", "k=v=w!", "\xc3\xa9", "a=\"b\""};
    char longest[200];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(settings_add_label(&s, bad[i], &err), -1, "%s", bad[i]);
        cr_assert_str_eq(err.code, "bad-label");
        cr_assert_null(strchr(err.message, '\x1b'));
    }
    memset(longest, 'a', sizeof(longest));
    longest[PX_LABEL_MAX + 1] = '\0';
    cr_assert_eq(settings_add_label(&s, longest, &err), -1);
    cr_assert_eq(settings_add_label(&s, "asn=1", &err), 0);
    cr_assert_eq(settings_add_label(&s, "asn=2", &err), -1, "given twice");
    for (int i = 1; i < PX_LABELS_MAX; i++) {
        char label[16];
        snprintf(label, sizeof(label), "k%d", i);
        cr_assert_eq(settings_add_label(&s, label, &err), 0);
    }
    cr_assert_eq(settings_add_label(&s, "one-too-many", &err), -1);
}

Test(settings, references_are_checked_and_counted)
{
    struct px_err err = {"", "", ""};
    static const char *const bad[] = {"",           "host",   "host:",           ":22",
                                      "host:99999", "a b:22", "2001:db8::1:22x", "http://host:80"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_eq(settings_add_reference(&s, bad[i], &err), -1, "%s", bad[i]);
    for (int i = 0; i < PX_REFERENCES_MAX; i++)
        cr_assert_eq(settings_add_reference(&s, "ref.example.net:443", &err), 0);
    cr_assert_eq(settings_add_reference(&s, "ref.example.net:443", &err), -1);
}
