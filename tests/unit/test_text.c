/* SPDX-License-Identifier: MIT */
/* Foreign text made harmless, suggestions, bounded copies, errors and log lines. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/text.h"
#include "tests/unit/noise.h"

Test(text, safe_escapes_what_terminals_obey)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"OpenSSH_9.2p1", "OpenSSH_9.2p1"},
        {"a\x1b[31mb", "a\\x1b[31mb"},
        {"bell\a del\x7f", "bell\\x07 del\\x7f"},
        {"two\r\nlines\t.", "two\\x0d\\x0alines\\x09."},
        {"c1 \xc2\x9b"
         "31m",
         "c1 \\u{9b}31m"},
        {"bidi \xe2\x80\xae"
         "cba",
         "bidi \\u{202e}cba"},
        {"isolate \xe2\x81\xa6", "isolate \\u{2066}"},
        {"mark \xe2\x80\x8f", "mark \\u{200f}"},
        {"zero\xe2\x80\x8bwidth", "zero\\u{200b}width"},
        {"caf\xc3\xa9 \xe2\x9c\x93", "caf\xc3\xa9 \xe2\x9c\x93"},
        {"bad \xff\xc3", "bad \\xff\\xc3"},
        {"overlong \xc0\xaf", "overlong \\xc0\\xaf"},
        {"surrogate \xed\xa0\x80", "surrogate \\xed\\xa0\\x80"},
        {"beyond \xf4\x90\x80\x80", "beyond \\xf4\\x90\\x80\\x80"},
        {"", ""},
    };
    char out[128];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_assert_str_eq(px_text_safe(cases[i].in, 80, out, sizeof(out)), cases[i].out);
}

Test(text, safe_counts_characters_not_bytes)
{
    char out[64];
    cr_assert_str_eq(px_text_safe("abcdefgh", 8, out, sizeof(out)), "abcdefgh");
    cr_assert_str_eq(px_text_safe("abcdefghi", 8, out, sizeof(out)), "abcdefgh...");
    cr_assert_str_eq(px_text_safe("\xc3\xa9\xc3\xa9\xc3\xa9", 2, out, sizeof(out)),
                     "\xc3\xa9\xc3\xa9...");
    cr_assert_str_eq(px_text_safe("ab\x1b", 5, out, sizeof(out)), "ab...");
    cr_assert_str_eq(px_text_safe("abcdefgh", 80, out, 7), "abc...");
    cr_assert_str_eq(px_text_safe("abcdefgh", 80, out, 9), "abcdefgh");
    cr_assert_str_eq(px_text_safe("abcd", 80, out, 3), "ab");
    cr_assert_str_eq(px_text_safe("abcd", 80, out, 1), "");
}

Test(text, safe_holds_for_any_bytes)
{
    struct noise noise = {99};
    char in[64], out[96];
    for (int i = 0; i < 50000; i++) {
        size_t size = 1 + noise_below(&noise, sizeof(out) - 1);
        noise_text(&noise, NULL, sizeof(in) - 1, in);
        memset(out, 'X', sizeof(out));
        px_text_safe(in, 1 + noise_below(&noise, 40), out, size);
        cr_assert_lt(strlen(out), size);
        for (const char *p = out; *p != '\0';) {
            uint32_t c;
            int length = px_text_decode_utf8(p, &c);
            cr_assert(length > 0 && c >= 0x20 && c != 0x7f && !(c >= 0x80 && c < 0xa0));
            p += length;
        }
    }
}

Test(text, decode_utf8)
{
    uint32_t c = 0;
    cr_assert_eq(px_text_decode_utf8("A", &c), 1);
    cr_assert_eq(c, 'A');
    cr_assert_eq(px_text_decode_utf8("\xf0\x9f\x98\x80", &c), 4);
    cr_assert_eq(c, 0x1f600);
    cr_assert_eq(px_text_decode_utf8("", &c), 0);
    cr_assert_eq(px_text_decode_utf8("\x80", &c), 0);
    cr_assert_eq(px_text_decode_utf8("\xf0\x9f\x98", &c), 0);
}

Test(text, copy_says_when_it_cuts)
{
    char out[4];
    cr_assert_eq(px_text_copy(out, sizeof(out), "abc"), 0);
    cr_assert_str_eq(out, "abc");
    cr_assert_eq(px_text_copy(out, sizeof(out), "abcd"), -1);
    cr_assert_str_eq(out, "abc");
    cr_assert_eq(px_text_copy(out, 0, "a"), -1);
}

Test(text, suggest_finds_typing_errors)
{
    static const char *const words[] = {"check", "nodes", "policy", "fra1", "banner", "from"};
    static const struct {
        const char *word, *near;
    } cases[] = {
        {"chekc", "check"}, {"Check", "check"},   {"fra-1", "fra1"}, {"bannner", "banner"},
        {"form", "from"},   {"polciy", "policy"}, {"node", "nodes"}, {"xyz", NULL},
        {"", NULL},         {"c", NULL},          {"deploy", NULL},  {"f", NULL},
    };
    size_t n = sizeof(words) / sizeof(words[0]);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *near = px_text_suggest(cases[i].word, words, n);
        if (cases[i].near == NULL)
            cr_assert_null(near, "%s -> %s", cases[i].word, near);
        else
            cr_assert_str_eq(near, cases[i].near, "%s", cases[i].word);
    }
    cr_assert_null(px_text_suggest("check", words, 0));
}

Test(text, suggest_takes_words_of_any_length)
{
    struct noise noise = {7};
    char *word = px_xcalloc(1001, 1);
    const char *words[] = {"bastion.example.net", word};
    cr_assert_str_eq(px_text_suggest("bastoin.example.net", words, 1), "bastion.example.net");
    for (int i = 0; i < 2000; i++) {
        noise_text(&noise, "abc", 1000, word);
        const char *near = px_text_suggest(word, words, 2);
        cr_assert(near == NULL || near == words[0] || near == words[1]);
    }
    free(word);
}

Test(text, allocation)
{
    int *v = px_xcalloc(0, 0);
    cr_assert_not_null(v);
    v = px_xrealloc(v, 2, sizeof(*v));
    v[0] = 1;
    v[1] = 2;
    v = px_xrealloc(v, 3, sizeof(*v));
    cr_assert_eq(v[0] + v[1], 3);
    free(v);
    char *text = px_xasprintf("%s-%d", "a", 7);
    cr_assert_str_eq(text, "a-7");
    free(text);
}

Test(err, is_filled_hinted_and_cleared)
{
    struct px_err err = {.hint = "old"};
    cr_assert_eq(px_err_set(&err, "no-file", "cannot read %s", "x"), -1);
    cr_assert_str_eq(err.code, "no-file");
    cr_assert_str_eq(err.message, "cannot read x");
    cr_assert_str_eq(err.hint, "");
    cr_assert_eq(px_err_hint(&err, "try %d", 2), -1);
    cr_assert_str_eq(err.hint, "try 2");
    px_err_set(&err, "wrapped", "file: %s (%s)", err.message, err.code);
    cr_assert_str_eq(err.message, "file: cannot read x (no-file)");
    px_err_clear(&err);
    cr_assert_str_eq(err.code, "");
    cr_assert_eq(px_err_set(NULL, "x", "y"), -1);
    cr_assert_eq(px_err_hint(NULL, "y"), -1);
    px_err_clear(NULL);
}

Test(err, cuts_what_does_not_fit)
{
    struct px_err err = {0};
    char text[2000];
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    px_err_set(&err, text, "%s", text);
    px_err_hint(&err, "%s", text);
    cr_assert_eq(strlen(err.code), sizeof(err.code) - 1);
    cr_assert_eq(strlen(err.message), sizeof(err.message) - 1);
    cr_assert_eq(strlen(err.hint), sizeof(err.hint) - 1);
}

/* What px_log writes to stderr during the call. */
static char *log_capture(enum px_log_level threshold, const char *text)
{
    static char line[4096];
    int ends[2], kept = dup(STDERR_FILENO);
    cr_assert_eq(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    px_log_set_level(threshold);
    px_log(PX_LOG_INFO, "%s", text);
    dup2(kept, STDERR_FILENO); /* closes the last writing end */
    close(kept);
    size_t used = 0;
    for (ssize_t n; (n = read(ends[0], line + used, sizeof(line) - 1 - used)) > 0;)
        used += (size_t)n;
    close(ends[0]);
    line[used] = '\0';
    return line;
}

Test(log, one_line_with_time_and_level)
{
    const char *line = log_capture(PX_LOG_INFO, "ready\nsteady");
    cr_assert_str_eq(line + strlen("2026-11-20T14:02:11.120Z"), " info: ready steady\n");
    cr_assert_eq(line[10], 'T');
    cr_assert_str_eq(log_capture(PX_LOG_WARN, "quiet"), "");
}

Test(log, a_long_line_stays_one_line)
{
    char text[5000];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    const char *line = log_capture(PX_LOG_DEBUG, text);
    cr_assert_eq(strchr(line, '\n'), line + strlen(line) - 1);
    cr_assert_gt(strlen(line), 1000);
}
