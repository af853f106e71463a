/* SPDX-License-Identifier: MIT */
/* Every word of the product is explained, and every explanation is about a word. */
#include <criterion/criterion.h>
#include <string.h>

#include "cli/explain.h"

static void check_text(const struct explain_text *text, const char *family, const char *word,
                       bool has_meaning)
{
    cr_assert(text->detected && *text->detected, "%s %s: how is it found?", family, word);
    cr_assert(has_meaning || (text->means && *text->means), "%s %s: what does it mean?", family,
              word);
    cr_assert(text->detected[strlen(text->detected) - 1] != '.', "%s %s ends in a full stop",
              family, word);
}

Test(explain, no_word_is_missing)
{
    for (int v = 0; v < PX_SCOPE_COUNT; v++)
        check_text(&explain_scopes[v], "scope", px_scope_name((enum px_scope)v), false);
    for (int v = 0; v < PX_STAGE_COUNT; v++)
        check_text(&explain_stages[v], "stage", px_stage_name((enum px_stage)v), false);
    for (int v = 0; v < PX_CERTAINTY_COUNT; v++)
        check_text(&explain_certainties[v], "certainty", px_certainty_name((enum px_certainty)v),
                   true);
    for (int v = 0; v < PX_STATUS_COUNT; v++)
        check_text(&explain_statuses[v], "status", px_status_name((enum px_status)v), true);
    for (int v = 0; v < PX_CODE_COUNT; v++)
        check_text(&explain_codes[v], "code", px_code_name((enum px_code)v), true);
    for (int v = 0; v < PX_CAUSE_COUNT; v++)
        check_text(&explain_causes[v].text, "cause", px_cause_name((enum px_cause)v), true);
}

Test(explain, every_cause_says_what_to_do_and_what_is_usual)
{
    for (int v = 0; v < PX_CAUSE_COUNT; v++) {
        const char *word = px_cause_name((enum px_cause)v);
        cr_assert(explain_causes[v].text.todo, "%s: what to do?", word);
        if (v == PX_CAUSE_NONE || v == PX_CAUSE_UNEXPLAINED)
            continue;
        cr_assert(explain_likely((enum px_cause)v, 0), "%s: what is usual?", word);
        for (size_t i = 0; explain_likely((enum px_cause)v, i); i++) {
            const char *text = explain_likely((enum px_cause)v, i);
            const char *brace = strchr(text, '{');
            cr_assert(!brace || strncmp(brace, "{port}", 6) == 0 ||
                          strncmp(brace, "{source}", 8) == 0,
                      "%s: unknown placeholder in \"%s\"", word, text);
        }
    }
}

Test(explain, failures_say_what_they_are_mistaken_for)
{
    for (int v = 0; v < PX_CODE_COUNT; v++) {
        if (px_code_kind((enum px_code)v) == PX_KIND_FAIL && !explain_codes[v].later)
            cr_assert(explain_codes[v].confused, "%s", px_code_name((enum px_code)v));
    }
}

Test(explain, subjects)
{
    bool mesh = false;
    for (const struct explain_topic *t = explain_topics; t->word; t++) {
        cr_assert(*t->title && t->text[strlen(t->text) - 1] == '\n', "%s", t->word);
        mesh = mesh || strcmp(t->word, "mesh") == 0;
    }
    cr_assert(mesh);
    cr_assert_null(explain_likely(PX_CAUSE_COUNT, 0));
    cr_assert_null(explain_likely(PX_CAUSE_HOST_DOWN, EXPLAIN_LIKELY_MAX));
}
