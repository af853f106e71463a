/* SPDX-License-Identifier: MIT */
/* What a node says when it does not get through: every end has words, none moves a terminal. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "probe-node/words.h"

static const uint8_t key[KEY_BYTES] = {1, 2, 3};

static struct membership mesh_at(const char *host)
{
    struct membership mesh = {.port = 7331, .name = "fra1"};
    snprintf(mesh.host, sizeof(mesh.host), "%s", host);
    return mesh;
}

Test(words, every_end_names_the_coordinator_and_differs_from_every_other)
{
    struct px_err errs[LINK_END_COUNT];
    struct membership mesh = mesh_at("coord.example.net");
    for (int why = 0; why < LINK_END_COUNT; why++) {
        words_for_end((enum link_end)why, "detail", &mesh, true, key, &errs[why]);
        cr_assert_not_null(strstr(errs[why].message, "coord.example.net"), "%s", errs[why].message);
        cr_assert_str_neq(errs[why].code, "");
        for (int other = 0; other < why; other++) {
            cr_assert_str_neq(errs[why].code, errs[other].code);
            cr_assert_str_neq(errs[why].message, errs[other].message);
        }
    }
}

Test(words, a_first_join_is_told_about_its_token)
{
    struct px_err err;
    struct membership mesh = mesh_at("2001:db8::1");
    words_for_end(LINK_WRONG_KEY, "", &mesh, false, key, &err);
    cr_assert_str_eq(err.message, "[2001:db8::1]:7331 holds another key than the token says");
    cr_assert_not_null(strstr(err.hint, "Nothing was sent"));
    words_for_end(LINK_WRONG_KEY, "", &mesh, true, key, &err);
    cr_assert_not_null(strstr(err.message, "this node has joined"));
}

Test(words, an_unknown_key_is_named_by_its_fingerprint)
{
    struct px_err err;
    char fingerprint[KEY_FINGERPRINT_TEXT];
    struct membership mesh = mesh_at("coord.example.net");
    words_for_end(LINK_NOT_AUTHORISED, "", &mesh, true, key, &err);
    cr_assert_not_null(strstr(err.message, key_fingerprint(key, fingerprint)));
}

Test(words, only_some_ends_need_people)
{
    cr_assert(words_need_people(LINK_WRONG_KEY));
    cr_assert(words_need_people(LINK_NOT_PARALLAX));
    cr_assert(words_need_people(LINK_NOT_AUTHORISED));
    cr_assert_not(words_need_people(LINK_REFUSED));
    cr_assert_not(words_need_people(LINK_NO_ANSWER));
    cr_assert_not(words_need_people(LINK_UNREACHABLE));
    cr_assert_not(words_need_people(LINK_NO_NAME));
    cr_assert_not(words_need_people(LINK_LOST));
}

Test(words, what_the_coordinator_says_is_made_safe)
{
    struct px_err err = {"x", "red \x1b[31m\nsecond line", "one\n\x1b]0;title\x07\ntwo\xff"};
    words_make_safe(&err);
    cr_assert_str_eq(err.message, "red \\x1b[31m", "%s", err.message);
    cr_assert_str_eq(err.hint, "one\n\\x1b]0;title\\x07\ntwo\\xff", "%s", err.hint);
}

Test(words, the_longest_hostile_text_fits)
{
    for (int fill = 1; fill < 256; fill++) {
        struct px_err err = {"x", "", ""};
        memset(err.message, fill, sizeof(err.message) - 1);
        memset(err.hint, fill, sizeof(err.hint) - 1);
        for (size_t i = 3; i < sizeof(err.hint) - 1; i += 7)
            err.hint[i] = '\n';
        words_make_safe(&err);
        cr_assert_lt(strlen(err.message), sizeof(err.message));
        cr_assert_lt(strlen(err.hint), sizeof(err.hint));
        cr_assert_null(strchr(err.message, '\x1b'));
    }
}
