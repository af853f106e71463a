/* SPDX-License-Identifier: MIT */
/* Every limit of the document parallax.run/1: as much as is allowed is read, one more is an error.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/report.h"
#include "common/text.h"

/* decode, with the error in the message of a failed assertion */
static void decode(const char *text, struct px_report *r)
{
    struct px_err err = {0};
    cr_assert_eq(px_report_decode_json(text, strlen(text), r, &err), 0, "%s", err.message);
}

static void expect_error(const char *text, const char *message)
{
    struct px_report r;
    struct px_err err = {0};
    cr_assert_eq(px_report_decode_json(text, strlen(text), &r, &err), -1, "no error: %s", message);
    cr_assert_str_eq(err.code, "bad-document");
    cr_assert_str_eq(err.message, message);
    px_report_clear(&r);
}

/* format with its @ replaced by n elements, in each of which # becomes the number; heap. */
static char *document_with(const char *format, const char *element, size_t n)
{
    const char *gap = strchr(format, '@'), *number = strchr(element, '#');
    size_t before = number != NULL ? (size_t)(number - element) : strlen(element);
    char *text = px_xcalloc(n + 1, strlen(element) + 24 + strlen(format) / (n + 1) + 1);
    char *p = text + sprintf(text, "%.*s", (int)(gap - format), format);
    for (size_t i = 0; i < n; i++) {
        p += sprintf(p, "%s%.*s", i > 0 ? "," : "", (int)before, element);
        if (number != NULL)
            p += sprintf(p, "%zu%s", i, number + 1);
    }
    strcpy(p, gap + 1);
    return text;
}

#define HEAD "{\"schema\":\"parallax.run/1\",\"target\":{\"url\":\"h\"},"
#define ONE "\"vantage\":\"a\",\"code\":\"ok\",\"stage\":\"tcp\","
#define FINDING "\"scope\":\"host\",\"cause\":\"host-down\",\"certainty\":\"likely\","

Test(report_json, lists_have_limits)
{
    static const struct {
        const char *format, *element;
        size_t most;
        const char *message;
    } cases[] = {
        {HEAD "\"vantages\":[@],\"results\":[]}", "{\"name\":\"v#\"}", PX_REPORT_VANTAGES_MAX,
         "vantages: 10001 elements, at most 10000"},
        {HEAD "\"results\":[@]}", "{" ONE "\"round\":#}", PX_REPORT_RESULTS_MAX,
         "results: 40001 elements, at most 40000"},
        {HEAD "\"results\":[],\"coverage\":{\"away\":[@]}}", "\"v#\"", PX_REPORT_VANTAGES_MAX,
         "coverage.away: 10001 elements, at most 10000"},
        {HEAD "\"results\":[],\"notes\":[@]}", "\"#\"", PX_REPORT_STRINGS_MAX,
         "notes: 10001 elements, at most 10000"},
        {HEAD "\"results\":[],\"verdict\":{\"status\":\"partial\",\"summary\":\"\",\"findings\":"
              "[@]}}",
         "{" FINDING "\"x\":#}", PX_REPORT_LIST_MAX, "verdict.findings: 257 elements, at most 256"},
        {HEAD "\"results\":[],\"verdict\":{\"status\":\"partial\",\"summary\":\"\",\"findings\":"
              "[{" FINDING "\"evidence\":[@]}]}}",
         "{\"id\":\"#\"}", PX_REPORT_LIST_MAX,
         "verdict.findings[0].evidence: 257 elements, at most 256"},
        {HEAD "\"results\":[],\"verdict\":{\"status\":\"partial\",\"summary\":\"\",\"findings\":"
              "[{" FINDING "\"ambiguous_with\":[@]}]}}",
         "\"none\"", 6, "verdict.findings[0].ambiguous_with: 7 elements, at most 6"},
        {HEAD "\"results\":[{" ONE "\"attempts\":[@]}]}", "{\"code\":\"ok\",\"port\":#}",
         PX_REPEATS_MAX + 1, "results[0].attempts: 10 elements, at most 9"},
        {HEAD "\"results\":[{" ONE "\"controls\":[@]}]}", "{\"code\":\"ok\",\"port\":#}",
         PX_CONTROLS_MAX, "results[0].controls: 5 elements, at most 4"},
        {HEAD "\"results\":[{" ONE "\"trace\":[@]}]}", "{\"ttl\":#}", PX_HOPS_MAX,
         "results[0].trace: 33 elements, at most 32"},
        {HEAD "\"results\":[{" ONE "\"addresses\":[@]}]}", "\"::#\"", PX_ADDRS_MAX,
         "results[0].addresses: 9 elements, at most 8"},
        {HEAD "\"results\":[{" ONE "\"references\":[@]}]}", "{\"name\":\"#\",\"code\":\"ok\"}",
         PX_REFERENCES_MAX, "results[0].references: 5 elements, at most 4"},
        {HEAD "\"results\":[{" ONE "\"labels\":{@}}]}", "\"l#\":\"\"", PX_LABELS_MAX,
         "results[0].labels: 17 labels, at most 16"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct px_report r;
        char *text = document_with(cases[i].format, cases[i].element, cases[i].most);
        decode(text, &r);
        px_report_clear(&r);
        free(text);
        text = document_with(cases[i].format, cases[i].element, cases[i].most + 1);
        expect_error(text, cases[i].message);
        free(text);
    }
}

Test(report_json, vantages_of_results_have_a_limit_too)
{
    char *text = document_with(HEAD "\"results\":[@]}",
                               "{\"vantage\":\"v#\",\"code\":\"ok\",\"stage\":\"tcp\"}",
                               PX_REPORT_VANTAGES_MAX + 1);
    expect_error(text, "results[10000].vantage: more than 10000 vantages");
    free(text);
}

Test(report_json, texts_have_limits)
{
    static const struct {
        const char *format;
        size_t most;
        const char *message;
    } cases[] = {
        {HEAD "\"results\":[{" ONE "\"text\":\"@\"}]}", PX_TEXT_MAX,
         "results[0].text: more than 255 bytes"},
        {HEAD "\"results\":[{" ONE "\"ssh\":{\"kex\":\"@\"}}]}", 79,
         "results[0].ssh.kex: 80 bytes, at most 79"},
        {HEAD "\"results\":[{" ONE "\"labels\":{\"k\":\"@\"}}]}", PX_LABEL_MAX,
         "results[0].labels.k: 64 bytes, at most 63"},
        {HEAD "\"results\":[],\"notes\":[\"@\"]}", PX_REPORT_STRING_MAX,
         "notes[0]: 65537 bytes, at most 65536"},
        {HEAD "\"results\":[],\"verdict\":{\"status\":\"partial\",\"summary\":\"@\"}}",
         PX_REPORT_STRING_MAX, "verdict.summary: 65537 bytes, at most 65536"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct px_report r;
        char *fill = px_xcalloc(cases[i].most + 2, 1);
        memset(fill, 'a', cases[i].most);
        char *text = document_with(cases[i].format, fill, 1);
        decode(text, &r);
        px_report_clear(&r);
        free(text);
        fill[cases[i].most] = 'a';
        text = document_with(cases[i].format, fill, 1);
        expect_error(text, cases[i].message);
        free(text);
        free(fill);
    }
}

Test(report_json, the_document_has_a_limit)
{
    struct px_report r;
    struct px_err err = {0};
    cr_assert_eq(px_report_decode_json("", (size_t)PX_REPORT_JSON_MAX + 1, &r, &err), -1);
    cr_assert_str_eq(err.message, "the document has 67108865 bytes, at most 67108864");
    px_report_clear(&r);
}
