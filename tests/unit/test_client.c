/* SPDX-License-Identifier: MIT */
/* The sentences for a coordinator that cannot be reached, and documents that arrive in parts. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/collect.h"

Test(client, every_end_has_its_sentence)
{
    static const struct {
        enum link_end why;
        const char *detail, *message, *hint;
        bool alone_helps;
    } cases[] = {
        {LINK_REFUSED, "",
         "coordinator coord.example.net:7331 does not answer (connection refused)",
         "is it running?  systemctl status parallax-coordinator  on coord.example.net", true},
        {LINK_NO_ANSWER, "",
         "coordinator coord.example.net:7331: no answer in 5s; a firewall between you and it?", "",
         true},
        {LINK_UNREACHABLE, "No route to host",
         "coordinator coord.example.net:7331 cannot be reached (No route to host)", "", true},
        {LINK_NO_NAME, "", "coordinator coord.example.net:7331: no such host name", "", true},
        {LINK_NOT_PARALLAX, "",
         "something listens on coord.example.net:7331 but is not a Parallax coordinator",
         "no handshake in 5s; wrong port? default is 7331", false},
        {LINK_WRONG_KEY, "",
         "coord.example.net:7331 holds another key than context \"prod\" expects",
         "if it was reinstalled, compare:  parallax-coordinator fingerprint  (there)\n"
         "with  plx context show prod  (here), then  plx context add prod TOKEN\n"
         "if not, somebody else answers on that address. Nothing was sent.",
         false},
        {LINK_LOST, "it stops",
         "the session with coordinator coord.example.net:7331 ended: it stops", "", true},
    };
    struct context c = {.name = "prod", .host = "coord.example.net", .port = 7331};
    uint8_t key[KEY_BYTES] = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct px_err err = {0};
        bool helps = client_explain_end(cases[i].why, cases[i].detail, &c, key, &err);
        cr_assert_eq(helps, cases[i].alone_helps, "case %zu", i);
        cr_assert_str_eq(err.message, cases[i].message);
        cr_assert_str_eq(err.hint, cases[i].hint);
        cr_assert(*err.code);
    }
}

Test(client, a_key_that_is_not_known_is_named)
{
    struct context c = {.name = "prod", .host = "h", .port = 1};
    uint8_t key[KEY_BYTES] = {7};
    char fingerprint[KEY_FINGERPRINT_TEXT];
    struct px_err err = {0};
    cr_assert_not(client_explain_end(LINK_NOT_AUTHORISED, "", &c, key, &err));
    cr_assert(strstr(err.message, key_fingerprint(key, fingerprint)));
}

Test(client, every_reason_is_covered)
{
    struct context c = {.name = "prod", .host = "h", .port = 1};
    uint8_t key[KEY_BYTES] = {0};
    for (int why = 0; why < LINK_END_COUNT; why++) {
        struct px_err err = {0};
        client_explain_end((enum link_end)why, "", &c, key, &err);
        cr_assert(*err.message, "%s", link_end_name((enum link_end)why));
    }
}

Test(client, default_name_is_always_a_name)
{
    static const char *const users[] = {"ann", "Ann O'Neil", "", "-x", "\xff"};
    char name[PX_NAME_MAX + 1];
    for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
        setenv("USER", users[i], 1);
        cr_assert(px_name_valid(client_default_name(name)), "%s gives %s", users[i], name);
    }
}

Test(errors, wrong_questions_are_misuse_and_refusals_are_not)
{
    struct px_err err = {.code = "no-such-vantage"};
    cr_assert_eq(cmd_exit_of_error(&err), CMD_MISUSE);
    strcpy(err.code, "no-vantage-selected");
    cr_assert_eq(cmd_exit_of_error(&err), CMD_MISUSE);
    strcpy(err.code, "not-allowed");
    cr_assert_eq(cmd_exit_of_error(&err), CMD_COORDINATOR);
    strcpy(err.code, "something-newer");
    cr_assert_eq(cmd_exit_of_error(&err), CMD_COORDINATOR);
}

/* ---- documents ---- */

static int add(struct collect *c, uint32_t number, const char *text, bool last, struct px_err *err)
{
    struct wire_document part = {
        .part = number, .last = last, .json = (const uint8_t *)text, .json_size = strlen(text)};
    return collect_add(c, &part, err);
}

Test(collect, parts_in_order)
{
    struct collect c = {0};
    struct px_err err;
    cr_assert_eq(add(&c, 0, "{\"a\"", false, &err), 0);
    cr_assert_eq(add(&c, 1, "", false, &err), 0);
    cr_assert_eq(add(&c, 2, ":1}", true, &err), 1);
    cr_assert_str_eq(c.text, "{\"a\":1}");
    cr_assert_null(collect_report(&c, &err), "that is no run");
    cr_assert(*err.message);
    cr_assert_eq(add(&c, 0, "x", true, &err), 1, "a new document begins anew");
    cr_assert_str_eq(c.text, "x");
    collect_clear(&c);
}

Test(collect, a_missing_part_is_noticed)
{
    struct collect c = {0};
    struct px_err err;
    cr_assert_eq(add(&c, 1, "x", true, &err), -1);
    cr_assert_str_eq(err.message, "part 1 of a document came, expected 0");
    cr_assert_eq(add(&c, 0, "x", false, &err), 0);
    cr_assert_eq(add(&c, 2, "x", false, &err), -1);
    collect_clear(&c);
}

Test(collect, a_document_does_not_grow_without_limit)
{
    struct collect c = {0};
    struct px_err err;
    static char block[1 << 20];
    struct wire_document part = {.json = (const uint8_t *)block, .json_size = sizeof block};
    int state = 0;
    uint32_t most = PX_REPORT_JSON_MAX / sizeof block;
    for (; part.part < most; part.part++)
        cr_assert_eq(collect_add(&c, &part, &err), 0);
    state = collect_add(&c, &part, &err);
    cr_assert_eq(state, -1);
    cr_assert_str_eq(err.message, "the coordinator sends a document above 64 MiB");
    collect_clear(&c);
}
