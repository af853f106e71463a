/* SPDX-License-Identifier: MIT */
/* Tables, paragraphs, rows and formats as people and programs see them. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/out_row.h"
#include "cli/out_verdict.h"

static char *text;
static size_t size;
static FILE *f;
static const struct out_style plain = {.utf8 = true, .width = 60};

static void open_text(void)
{
    f = open_memstream(&text, &size);
}
static void free_text(void)
{
    free(text);
}
static const char *written(void)
{
    fclose(f);
    return text;
}
TestSuite(out, .init = open_text, .fini = free_text);

Test(out, paragraphs_wrap_below_their_text)
{
    out_paragraph(f, &plain, "WHY", 2, OUT_PLAIN,
                  "+ four of five vantages get the same reset within one second");
    cr_assert_str_eq(written(), "WHY       + four of five vantages get the same reset within\n"
                                "            one second\n");
}

Test(out, distance_inside_a_line_is_kept)
{
    out_paragraph(f, &plain, "VERDICT", 0, OUT_PLAIN, "host-side: down   (likely)");
    cr_assert_str_eq(written(), "VERDICT   host-side: down   (likely)\n");
}

Test(out, a_long_word_is_not_broken)
{
    out_paragraph(f, &plain, "", 0, OUT_PLAIN,
                  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b");
    cr_assert_str_eq(
        written(),
        "          aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
        "          b\n");
}

Test(out, columns_count_characters_not_bytes)
{
    static const struct out_column columns[] = {{"", false, true, false, false},
                                                {"A", false, false, false, false},
                                                {"B", true, false, false, false},
                                                {"C", false, false, true, false}};
    struct out_grid *grid = out_grid_new(columns, 4);
    out_grid_add(grid, OUT_GOOD, (const char *const[]){"✓", "ä", "-", "x"});
    out_grid_add(grid, OUT_BAD, (const char *const[]){"✗", "long", "", ""});
    out_grid_print(grid, f, &plain);
    out_grid_free(grid);
    cr_assert_str_eq(written(), "   A     C\n✓  ä     x\n✗  long\n");
}

Test(out, a_narrow_terminal_loses_spare_columns_not_the_last)
{
    static const struct out_column columns[] = {{"A", false, false, false, false},
                                                {"B", false, false, false, true},
                                                {"C", false, false, false, true},
                                                {"D", false, false, true, false}};
    struct out_style narrow = plain;
    narrow.columns = 40;
    struct out_grid *grid = out_grid_new(columns, 4);
    out_grid_add(grid, OUT_PLAIN,
                 (const char *const[]){"aaaa", "bbbb", "cccc", "dddd dddd dddd dddd dddd dddd"});
    out_grid_print(grid, f, &narrow);
    out_grid_free(grid);
    cr_assert_str_eq(written(), "A     B     D\n"
                                "aaaa  bbbb  dddd dddd dddd dddd dddd\n"
                                "            dddd\n");
}

Test(out, colour_only_if_asked_for)
{
    struct out_style color = plain;
    color.color = true;
    out_toned(f, &color, OUT_BAD, "x");
    out_toned(f, &plain, OUT_BAD, "y");
    cr_assert_str_eq(written(), "\033[31mx\033[0my");
}

Test(out, milliseconds)
{
    char out[PX_DURATION_TEXT];
    static const struct {
        double ms;
        const char *text;
    } cases[] = {{-1, "-"},        {0, "<0.1ms"},   {0.44, "0.4ms"}, {0.96, "1ms"}, {11.4, "11ms"},
                 {999.4, "999ms"}, {999.6, "1.0s"}, {4500, "4.5s"},  {1e300, "-"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_assert_str_eq(out_ms(cases[i].ms, out), cases[i].text);
}

/* ---- rows ---- */

static struct px_report *report_new(void)
{
    struct px_report *r = calloc(1, sizeof *r);
    px_report_init(r);
    struct px_err err;
    cr_assert_eq(px_target_parse("ssh://host.example.net", &r->target, &err), 0);
    r->depth = PX_STAGE_KEX;
    r->finished = true;
    px_report_add_vantage(r, "fra1");
    return r;
}

static struct px_observation *observe(struct px_report *r, uint32_t round, enum px_stage depth,
                                      enum px_stage stage, enum px_code code)
{
    struct px_observation o;
    px_observation_init(&o);
    o.round = round;
    o.depth = depth;
    o.stage = stage;
    o.code = code;
    return px_report_add_observation(r, &o);
}

static void attempt(struct px_observation *o, enum px_code code)
{
    o->attempts[o->attempt_count++].code = code;
}

static struct out_row row_of(struct px_report *r)
{
    struct out_row *rows = out_rows_new(r, 0), first = rows[0];
    free(rows);
    return first;
}

static void report_free(struct px_report *r)
{
    px_report_clear(r);
    free(r);
}

Test(row, counts_connects_of_all_rounds)
{
    struct px_report *r = report_new();
    attempt(observe(r, 1, PX_STAGE_KEX, PX_STAGE_TCP, PX_CODE_REFUSED), PX_CODE_REFUSED);
    struct px_observation *o = observe(r, 2, PX_STAGE_TCP, PX_STAGE_TCP, PX_CODE_REFUSED);
    attempt(o, PX_CODE_REFUSED);
    attempt(o, PX_CODE_REFUSED);
    struct out_row row = row_of(r);
    cr_assert_eq(row.mark, OUT_MARK_FAIL);
    cr_assert_str_eq(row.detail, "TCP reset from the target, 3 of 3");
    report_free(r);
}

Test(row, a_look_that_connects_does_not_excuse_a_service_that_is_silent)
{
    struct px_report *r = report_new();
    attempt(observe(r, 1, PX_STAGE_KEX, PX_STAGE_BANNER, PX_CODE_SILENT), PX_CODE_OK);
    attempt(observe(r, 2, PX_STAGE_TCP, PX_STAGE_TCP, PX_CODE_OK), PX_CODE_OK);
    struct out_row row = row_of(r);
    cr_assert_eq(row.mark, OUT_MARK_FAIL);
    cr_assert_str_eq(row.result, "silent");
    report_free(r);
}

Test(row, a_look_cut_short_by_the_budget_does_not_excuse_it_either)
{
    struct px_report *r = report_new();
    observe(r, 1, PX_STAGE_KEX, PX_STAGE_BANNER, PX_CODE_SILENT);
    observe(r, 2, PX_STAGE_KEX, PX_STAGE_TCP, PX_CODE_OK)->limited = true;
    struct out_row row = row_of(r);
    cr_assert_eq(row.mark, OUT_MARK_FAIL);
    cr_assert_str_eq(row.result, "silent");
    report_free(r);
}

Test(row, sometimes_is_not_always)
{
    struct px_report *r = report_new();
    attempt(observe(r, 1, PX_STAGE_KEX, PX_STAGE_KEX, PX_CODE_OK), PX_CODE_OK);
    attempt(observe(r, 2, PX_STAGE_TCP, PX_STAGE_TCP, PX_CODE_NO_ANSWER), PX_CODE_NO_ANSWER);
    struct out_row row = row_of(r);
    cr_assert_eq(row.mark, OUT_MARK_MIXED);
    cr_assert_str_eq(row.result, "no-answer");
    cr_assert_str_eq(row.detail, "1 of 2 connects unanswered");
    report_free(r);
}

Test(row, a_vantage_that_could_not_try_is_no_failure)
{
    struct px_report *r = report_new();
    observe(r, 1, PX_STAGE_KEX, PX_STAGE_TCP, PX_CODE_NO_OWN_ROUTE);
    cr_assert_eq(row_of(r).mark, OUT_MARK_NONE);
    observe(r, 2, PX_STAGE_TCP, PX_STAGE_TCP, PX_CODE_OK);
    cr_assert_eq(row_of(r).mark, OUT_MARK_OK, "once it can try, that counts");
    report_free(r);
}

Test(row, who_sent_the_reject)
{
    struct px_report *r = report_new();
    struct px_observation *o = observe(r, 1, PX_STAGE_KEX, PX_STAGE_TCP, PX_CODE_REJECTED);
    px_addr_parse("203.0.113.10", &o->address);
    px_addr_parse("203.0.113.10", &o->icmp.from);
    o->icmp.type = 3;
    o->icmp.code = 13;
    cr_assert_str_eq(row_of(r).detail, "ICMP admin-prohibited from the target");
    px_addr_parse("203.0.113.1", &r->observations[0].icmp.from);
    cr_assert_str_eq(row_of(r).detail, "ICMP admin-prohibited from 203.0.113.1");
    r->observations[0].icmp.own = true;
    r->observations[0].icmp.code = 99;
    cr_assert_str_eq(row_of(r).detail, "ICMP type 3 code 99 from the vantage itself");
    report_free(r);
}

Test(row, remote_text_is_harmless_and_one_line)
{
    struct px_report *r = report_new();
    struct px_observation *o = observe(r, 1, PX_STAGE_KEX, PX_STAGE_BANNER, PX_CODE_NOT_SSH);
    strcpy(o->text, "220 \033[31mmail\nsecond line");
    cr_assert_str_eq(row_of(r).detail, "it says \"220 \\x1b[31mmail\"");
    memset(r->observations[0].text, 'x', PX_TEXT_MAX);
    struct out_row row = row_of(r);
    cr_assert_leq(strlen(row.detail), strlen("it says \"\"") + 80 + 3);
    report_free(r);
}

Test(row, away_and_pending)
{
    struct px_report *r = report_new();
    r->finished = false;
    cr_assert_eq(row_of(r).mark, OUT_MARK_PENDING);
    r->finished = true;
    cr_assert_str_eq(row_of(r).result, "unknown");
    r->vantages[0].presence = PX_AWAY;
    r->vantages[0].last_seen = 100 * PX_SEC;
    struct out_row *rows = out_rows_new(r, 340 * PX_SEC);
    cr_assert_str_eq(rows[0].detail, "last seen 4m ago");
    free(rows);
    report_free(r);
}

/* ---- headline ---- */

Test(headline, says_scope_and_certainty)
{
    struct px_report *r = report_new();
    r->verdict.status = PX_STATUS_PARTIAL;
    r->verdict.summary = strdup("turns one away");
    struct px_finding *finding = px_verdict_add_finding(&r->verdict);
    finding->scope = PX_SCOPE_SOURCE;
    finding->cause = PX_CAUSE_SOURCE_BANNED;
    finding->certainty = finding->scope_certainty = PX_CERTAINTY_CONFIRMED;
    finding->summary = strdup("turns one away");
    char *line = out_headline(r, finding);
    cr_assert_str_eq(line, "source-specific: turns one away   (confirmed)");
    free(line);
    finding->certainty = PX_CERTAINTY_LIKELY;
    line = out_headline(r, finding);
    cr_assert_str_eq(line,
                     "source-specific: turns one away   (source-specific confirmed, cause likely)");
    free(line);
    finding->scope_certainty = PX_CERTAINTY_INCONCLUSIVE;
    line = out_headline(r, finding);
    cr_assert_str_eq(line, "inconclusive: turns one away");
    free(line);
    r->verdict.status = PX_STATUS_INCONCLUSIVE;
    line = out_headline(r, finding);
    cr_assert_str_eq(line, "inconclusive: turns one away");
    free(line);
    report_free(r);
}

/* ---- documents and sinks ---- */

Test(out, several_runs_are_one_document)
{
    struct px_report *r = report_new();
    const struct px_report *two[] = {r, r};
    out_json_write(f, two, 2, &plain);
    json_t *document = json_loads(written(), 0, NULL);
    cr_assert_str_eq(json_string_value(json_object_get(document, "schema")), "parallax.runs/1");
    cr_assert_eq(json_array_size(json_object_get(document, "runs")), 2);
    json_decref(document);
    report_free(r);
}

Test(out, errors_are_documents_even_if_their_text_is_broken)
{
    struct px_err err = {"bad-target", "not \xff a \"target\"", ""};
    out_json_write_error(f, &err);
    json_t *document = json_loads(written(), 0, NULL), *error = json_object_get(document, "error");
    cr_assert_str_eq(json_string_value(json_object_get(document, "schema")), "parallax.error/1");
    cr_assert_str_eq(json_string_value(json_object_get(error, "message")),
                     "not \\xff a \"target\"");
    cr_assert_null(json_object_get(error, "hint"));
    json_decref(document);
}

static const struct flag_spec output = {"output", 'o', "FORMAT", ""};

Test(sinks, one_for_stdout_and_any_number_of_files)
{
    struct flag_given given[] = {{&output, "json"}, {&output, "tsv=/tmp/plx-sink-test.tsv"}};
    struct flags flags = {given, 2, NULL, 0};
    struct out_sinks sinks;
    struct px_err err;
    cr_assert_eq(out_sinks_open(&sinks, &flags, &err), 0, "%s", err.message);
    cr_assert_eq(sinks.n, 2);
    cr_assert_str_eq(out_sinks_stdout(&sinks)->name, "json");
    cr_assert_eq(out_sinks_close(&sinks, &err), 0);
    given[0].value = "wide=/tmp/plx-sink-test.tsv";
    cr_assert_eq(out_sinks_open(&sinks, &flags, &err), 0);
    cr_assert_str_eq(out_sinks_stdout(&sinks)->name, "table", "stdout is never left empty");
    cr_assert_eq(out_sinks_close(&sinks, &err), 0);
    unlink("/tmp/plx-sink-test.tsv");
}

Test(sinks, complaints)
{
    static const struct {
        const char *value[2], *message;
    } cases[] = {
        {{"jsn", NULL}, "no format \"jsn\"; did you mean \"json\"?"},
        {{"json=", NULL}, "-o json= names no file"},
        {{"json", "tsv"}, "only one format can go to stdout; write -o tsv=FILE"},
        {{"json=/nonexistent/x", NULL}, "cannot write /nonexistent/x: No such file or directory"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct flag_given given[] = {{&output, cases[i].value[0]}, {&output, cases[i].value[1]}};
        struct flags flags = {given, cases[i].value[1] ? 2 : 1, NULL, 0};
        struct out_sinks sinks;
        struct px_err err;
        cr_assert_eq(out_sinks_open(&sinks, &flags, &err), -1);
        cr_assert_str_eq(err.message, cases[i].message);
    }
}
