/* SPDX-License-Identifier: MIT */
/* The words: every one in both directions, unknown ones refused, spelling as documented. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "common/vocab.h"
#include "tests/unit/noise.h"

static const struct {
    enum px_vocab which;
    int (*parse)(const char *word);
    size_t count;
} kinds[] = {
    {PX_VOCAB_SCOPE, px_scope_parse, PX_SCOPE_COUNT},
    {PX_VOCAB_CERTAINTY, px_certainty_parse, PX_CERTAINTY_COUNT},
    {PX_VOCAB_STATUS, px_status_parse, PX_STATUS_COUNT},
    {PX_VOCAB_STAGE, px_stage_parse, PX_STAGE_COUNT},
    {PX_VOCAB_CODE, px_code_parse, PX_CODE_COUNT},
    {PX_VOCAB_CAUSE, px_cause_parse, PX_CAUSE_COUNT},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

Test(vocab, every_word_parses_to_its_value)
{
    for (size_t k = 0; k < KINDS; k++) {
        size_t n;
        const char *const *words = px_vocab_words(kinds[k].which, &n);
        cr_assert_eq(n, kinds[k].count);
        cr_assert(px_vocab_noun(kinds[k].which)[0] != '\0');
        for (size_t i = 0; i < n; i++)
            cr_assert_eq(kinds[k].parse(words[i]), (int)i, "%s", words[i]);
    }
}

Test(vocab, names_are_the_words)
{
    cr_assert_str_eq(px_scope_name(PX_SCOPE_SOURCE), "source");
    cr_assert_str_eq(px_scope_people(PX_SCOPE_SOURCE), "source-specific");
    cr_assert_str_eq(px_scope_people(PX_SCOPE_NAME), "dns");
    cr_assert_str_eq(px_certainty_name(PX_CERTAINTY_CONFIRMED), "confirmed");
    cr_assert_str_eq(px_status_name(PX_STATUS_PARTIAL), "partial");
    cr_assert_str_eq(px_stage_name(PX_STAGE_HOSTKEY), "hostkey");
    cr_assert_str_eq(px_code_name(PX_CODE_AUTH_NO_SIGNATURE), "auth-no-signature");
    cr_assert_str_eq(px_cause_name(PX_CAUSE_SOURCE_BANNED), "source-banned");
}

Test(vocab, words_are_plain_and_unique)
{
    for (size_t k = 0; k < KINDS; k++) {
        size_t n;
        const char *const *words = px_vocab_words(kinds[k].which, &n);
        for (size_t i = 0; i < n; i++) {
            cr_assert_eq(strspn(words[i], "abcdefghijklmnopqrstuvwxyz-"), strlen(words[i]));
            for (size_t j = 0; j < i; j++)
                cr_assert_str_neq(words[i], words[j]);
        }
    }
}

Test(vocab, only_exact_words_parse)
{
    static const char *const wrong[] = {"", "OK", "ok ", " ok", "o", "okay", "?", "no_answer"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        for (size_t k = 0; k < KINDS; k++)
            cr_assert_eq(kinds[k].parse(wrong[i]), -1, "%s", wrong[i]);
    }
    cr_assert_eq(px_code_parse(NULL), -1);
}

Test(vocab, values_out_of_range_have_no_word)
{
    cr_assert_str_eq(px_code_name((enum px_code)PX_CODE_COUNT), "?");
    cr_assert_str_eq(px_code_name((enum px_code) - 1), "?");
    cr_assert_str_eq(px_cause_name((enum px_cause)1000), "?");
    cr_assert_str_eq(px_cause_meaning((enum px_cause)1000), "?");
    cr_assert_eq(px_code_kind((enum px_code)1000), PX_KIND_NONE);
    cr_assert_eq(px_cause_scope((enum px_cause)1000), PX_SCOPE_NONE);
    cr_assert_not(px_stage_is_ladder((enum px_stage)1000));
}

Test(vocab, kinds_scopes_and_ladder)
{
    cr_assert_eq(px_code_kind(PX_CODE_UNKNOWN), PX_KIND_NONE);
    cr_assert_eq(px_code_kind(PX_CODE_SLOW), PX_KIND_OK);
    cr_assert_eq(px_code_kind(PX_CODE_REFUSED), PX_KIND_FAIL);
    cr_assert_eq(px_code_kind(PX_CODE_AWAY), PX_KIND_VANTAGE);
    cr_assert_eq(px_cause_scope(PX_CAUSE_HOST_DOWN), PX_SCOPE_HOST);
    cr_assert_eq(px_cause_scope(PX_CAUSE_NAME_DIFFERS), PX_SCOPE_NAME);
    cr_assert_eq(px_cause_scope(PX_CAUSE_UNEXPLAINED), PX_SCOPE_NONE);
    cr_assert(px_stage_is_ladder(PX_STAGE_KEX));
    cr_assert_not(px_stage_is_ladder(PX_STAGE_TRACE));
    cr_assert_not(px_stage_is_ladder(PX_STAGE_NONE));
    cr_assert_lt(PX_STAGE_TCP, PX_STAGE_BANNER, "the ladder is climbed in this order");
}

Test(vocab, everything_has_a_meaning)
{
    for (int i = 0; i < PX_CODE_COUNT; i++)
        cr_assert_gt(strlen(px_code_meaning((enum px_code)i)), 3);
    for (int i = 0; i < PX_CAUSE_COUNT; i++)
        cr_assert_gt(strlen(px_cause_meaning((enum px_cause)i)), 3);
    for (int i = 0; i < PX_STATUS_COUNT; i++)
        cr_assert_gt(strlen(px_status_meaning((enum px_status)i)), 3);
    for (int i = 0; i < PX_CERTAINTY_COUNT; i++)
        cr_assert_gt(strlen(px_certainty_meaning((enum px_certainty)i)), 3);
}

Test(vocab, noise_never_parses_to_another_word)
{
    struct noise noise = {4711};
    char word[24];
    for (int i = 0; i < 20000; i++) {
        noise_text(&noise, i % 2 ? "abcdeiknorstu-" : NULL, 20, word);
        for (size_t k = 0; k < KINDS; k++) {
            size_t n;
            const char *const *words = px_vocab_words(kinds[k].which, &n);
            int value = kinds[k].parse(word);
            cr_assert(value == -1 || strcmp(words[value], word) == 0);
        }
    }
}
