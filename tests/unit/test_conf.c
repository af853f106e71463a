/* SPDX-License-Identifier: MIT */
/* YAML files: the tree and its places, typed reading, and the exact look of errors. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/conf.h"
#include "common/text.h"
#include "tests/unit/noise.h"

static struct px_conf *parse(const char *text)
{
    return px_conf_parse("x.yml", text, strlen(text));
}

static void expect_errors(const struct px_conf *c, const char *expected)
{
    char *errors = px_conf_errors(c);
    cr_assert_str_eq(errors, expected);
    free(errors);
}

/* Parse text that is wrong by itself. */
static void expect_broken(const char *text, const char *expected)
{
    struct px_conf *c = parse(text);
    cr_assert_null(px_conf_root(c));
    cr_assert_eq(px_conf_error_count(c), 1);
    expect_errors(c, expected);
    px_conf_free(c);
}

Test(conf, the_tree_remembers_places)
{
    struct px_conf *c = parse("# comment\n"
                              "name: \"fra1\"\n"
                              "list: [a, bb]\n"
                              "map:\n"
                              "  deep:\n"
                              "    - x: 1\n"
                              "      y: ~\n"
                              "    - plain text # with comment\n");
    struct px_conf_node *root = px_conf_root(c);
    cr_assert_eq(px_conf_error_count(c), 0);
    expect_errors(c, "");
    cr_assert_eq(root->kind, PX_CONF_MAP);
    struct px_conf_node *name = px_conf_get(root, "name");
    cr_assert(name->kind == PX_CONF_SCALAR && name->quoted && name->used);
    cr_assert_str_eq(name->text, "fra1");
    cr_assert(name->line == 2 && name->column == 7 && name->width == 6);
    cr_assert(name->key_line == 2 && name->key_column == 1);
    struct px_conf_node *list = px_conf_get(root, "list");
    cr_assert_eq(list->kind, PX_CONF_LIST);
    cr_assert_str_eq(list->first->text, "a");
    cr_assert(list->first->next->column == 11 && list->first->next->width == 2);
    cr_assert_null(list->first->next->next);
    struct px_conf_node *deep = px_conf_get(px_conf_get(root, "map"), "deep");
    cr_assert_str_eq(px_conf_get(deep->first, "x")->text, "1");
    cr_assert_str_eq(px_conf_get(deep->first, "y")->text, "");
    cr_assert_str_eq(deep->first->next->text, "plain text");
    cr_assert_null(px_conf_get(root, "absent"));
    cr_assert_null(px_conf_get(list, "a"));
    cr_assert_null(px_conf_get(NULL, "a"));
    px_conf_free(c);
    px_conf_free(NULL);
}

Test(conf, an_empty_document_has_no_root)
{
    static const char *const texts[] = {"", "\n\n", "# nothing\n", "---\n...\n"};
    for (size_t i = 0; i < 3; i++) {
        struct px_conf *c = parse(texts[i]);
        cr_assert_null(px_conf_root(c));
        cr_assert_eq(px_conf_error_count(c), 0);
        px_conf_free(c);
    }
    struct px_conf *c = parse(texts[3]);
    cr_assert_str_eq(px_conf_root(c)->text, "");
    px_conf_free(c);
}

/* A reader like those of the programs: everything wrong is recorded, nothing stops it. */
static void checks_read(struct px_conf *c)
{
    static const char *const top[] = {"listen", "targets", "checks"};
    static const char *const known[] = {"name", "from", "to", "every", "depth"};
    static const char *const depths[] = {"tcp", "banner", "kex", "auth", "session"};
    struct px_conf_node *root = px_conf_root(c), *list = px_conf_get(root, "checks");
    struct px_conf_node *targets = px_conf_get(root, "targets");
    px_conf_get(root, "listen");
    for (struct px_conf_node *t = targets->first; t != NULL; t = t->next) {
        if (strstr(t->text, "://") == NULL)
            px_conf_error(c, t, "write ssh://bastion.example.net:22 (also: tcp, tls)",
                          "target \"%s\" needs a scheme, got \"%s\"", t->key, t->text);
    }
    for (struct px_conf_node *n = list->first; n != NULL; n = n->next) {
        char where[64], what[96];
        const char *name = "?";
        int64_t ns;
        int depth;
        px_conf_text(c, px_conf_get(n, "name"), "name", &name);
        snprintf(where, sizeof(where), "check \"%s\"", name);
        px_conf_get(n, "from");
        struct px_conf_node *to = px_conf_get(n, "to");
        if (to != NULL && to->kind != PX_CONF_LIST)
            px_conf_error(c, to, "write [bastion]", "%s: to must be a list", where);
        snprintf(what, sizeof(what), "%s: every", where);
        px_conf_duration(c, px_conf_get(n, "every"), what, 15 * PX_SEC, 86400 * PX_SEC, &ns);
        snprintf(what, sizeof(what), "%s: depth", where);
        px_conf_choice(c, px_conf_get(n, "depth"), what, depths, 5, &depth);
        px_conf_unknown_keys(c, n, where, known, 5);
    }
    px_conf_unknown_keys(c, root, NULL, top, 3);
}

Test(conf, all_errors_of_a_file_in_one_go)
{
    struct px_conf *c = parse("listen: {nodes: \"tcp://0.0.0.0:7331\"}\n"
                              "targets:\n"
                              "  bastion: bastion.example.net:22\n"
                              "checks:\n"
                              "  - name: admin-paths\n"
                              "    form: [all]\n"
                              "    to: bastion\n"
                              "    every: 60\n"
                              "    depth: bannner\n"
                              "  - name: db\n"
                              "    from: [all]\n"
                              "    to: [db]\n"
                              "    every: 2s\n"
                              "listen: {}\n"
                              "zzz: 1\n");
    checks_read(c);
    cr_assert_eq(px_conf_error_count(c), 8);
    expect_errors(
        c, "x.yml:3:12: error: target \"bastion\" needs a scheme, got \"bastion.example.net:22\"\n"
           "    3 |   bastion: bastion.example.net:22\n"
           "      |            ^^^^^^^^^^^^^^^^^^^^^^\n"
           "      = write ssh://bastion.example.net:22 (also: tcp, tls)\n"
           "x.yml:6:5: error: unknown key \"form\" in check \"admin-paths\"\n"
           "    6 |     form: [all]\n"
           "      |     ^^^^\n"
           "      = did you mean \"from\"?\n"
           "x.yml:7:9: error: check \"admin-paths\": to must be a list\n"
           "    7 |     to: bastion\n"
           "      |         ^^^^^^^\n"
           "      = write [bastion]\n"
           "x.yml:8:12: error: check \"admin-paths\": every needs a unit, got \"60\"\n"
           "    8 |     every: 60\n"
           "      |            ^^\n"
           "      = write 60s, 5m or 1h\n"
           "x.yml:9:12: error: check \"admin-paths\": depth is \"bannner\", expected tcp, banner, "
           "kex, auth or session\n"
           "    9 |     depth: bannner\n"
           "      |            ^^^^^^^\n"
           "      = did you mean \"banner\"?\n"
           "x.yml:13:12: error: check \"db\": every is 2s, allowed 15s to 1d\n"
           "   13 |     every: 2s\n"
           "      |            ^^\n"
           "x.yml:14:1: error: key \"listen\" is given twice\n"
           "   14 | listen: {}\n"
           "      | ^^^^^^\n"
           "      = first given on line 1\n"
           "x.yml:15:1: error: unknown key \"zzz\"\n"
           "   15 | zzz: 1\n"
           "      | ^^^\n"
           "      = known: listen, targets, checks\n"
           "x.yml: 8 errors");
    px_conf_free(c);
}

Test(conf, the_first_of_two_equal_keys_counts)
{
    struct px_conf *c = parse("b: 1\na: 2\nb: 3\nb: 4\n");
    cr_assert_str_eq(px_conf_get(px_conf_root(c), "b")->text, "1");
    cr_assert_eq(px_conf_error_count(c), 2);
    px_conf_free(c);
}

Test(conf, typed_values)
{
    struct px_conf *c = parse("text: a b\nquoted: \"\"\nnumber: -7\nbig: 9223372036854775807\n"
                              "time: 1.5s\nyes: on\nno: \"false\"\n");
    struct px_conf_node *root = px_conf_root(c);
    const char *text = NULL;
    int64_t number = 0, ns = 0;
    bool flag = false;
    cr_assert(px_conf_text(c, px_conf_get(root, "text"), "t", &text));
    cr_assert_str_eq(text, "a b");
    cr_assert(px_conf_text(c, px_conf_get(root, "quoted"), "t", &text));
    cr_assert_str_eq(text, "");
    cr_assert(px_conf_integer(c, px_conf_get(root, "number"), "n", -7, 0, &number));
    cr_assert_eq(number, -7);
    cr_assert(px_conf_integer(c, px_conf_get(root, "big"), "n", 0, INT64_MAX, &number));
    cr_assert_eq(number, INT64_MAX);
    cr_assert(px_conf_duration(c, px_conf_get(root, "time"), "d", 0, PX_SEC * 2, &ns));
    cr_assert_eq(ns, 1500 * PX_MS);
    cr_assert(px_conf_boolean(c, px_conf_get(root, "yes"), "b", &flag) && flag);
    cr_assert(px_conf_boolean(c, px_conf_get(root, "no"), "b", &flag) && !flag);
    cr_assert_not(px_conf_text(c, NULL, "t", &text));
    cr_assert_not(px_conf_boolean(c, px_conf_get(root, "absent"), "b", &flag));
    cr_assert_eq(px_conf_error_count(c), 0, "an absent value is no error");
    px_conf_free(c);
}

Test(conf, typed_errors)
{
    static const struct {
        const char *value, *text, *integer, *duration, *boolean, *choice;
    } cases[] = {
        {"[1]", "v must be text, not a list", "v must be a whole number, not a list",
         "v must be a duration, not a list", "v must be true or false, not a list",
         "v must be tcp or kex, not a list"},
        {"", "v is empty, expected text", "v is empty, expected a whole number",
         "v is empty, expected a duration", "v is empty, expected true or false",
         "v is empty, expected tcp or kex"},
        {"abc", NULL, "v is \"abc\", expected a whole number", "v is \"abc\", expected a duration",
         "v is \"abc\", expected true or false", "v is \"abc\", expected tcp or kex"},
        {"12", NULL, "v is 12, allowed 1 to 10", "v needs a unit, got \"12\"",
         "v is \"12\", expected true or false", "v is \"12\", expected tcp or kex"},
        {"99999999999999999999", NULL, "v is 99999999999999999999, allowed 1 to 10",
         "v needs a unit, got \"99999999999999999999\"",
         "v is \"99999999999999999999\", expected true or false",
         "v is \"99999999999999999999\", expected tcp or kex"},
        {"0x7", NULL, "v is \"0x7\", expected a whole number", "v is \"0x7\", expected a duration",
         "v is \"0x7\", expected true or false", "v is \"0x7\", expected tcp or kex"},
        {"5m", NULL, "v is \"5m\", expected a whole number", "v is 5m, allowed 1s to 10s",
         "v is \"5m\", expected true or false", "v is \"5m\", expected tcp or kex"},
    };
    static const char *const words[] = {"tcp", "kex"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int kind = 0; kind < 5; kind++) {
            const char *text, *expected = (const char *const[]){cases[i].text, cases[i].integer,
                                                                cases[i].duration, cases[i].boolean,
                                                                cases[i].choice}[kind];
            int64_t number;
            int choice;
            bool flag, good = false;
            char *source = px_xasprintf("k: %s\n", cases[i].value);
            struct px_conf *c = parse(source);
            struct px_conf_node *n = px_conf_get(px_conf_root(c), "k");
            if (kind == 0)
                good = px_conf_text(c, n, "v", &text);
            else if (kind == 1)
                good = px_conf_integer(c, n, "v", 1, 10, &number);
            else if (kind == 2)
                good = px_conf_duration(c, n, "v", PX_SEC, 10 * PX_SEC, &number);
            else if (kind == 3)
                good = px_conf_boolean(c, n, "v", &flag);
            else
                good = px_conf_choice(c, n, "v", words, 2, &choice);
            char *errors = px_conf_errors(c);
            cr_assert_eq(good, expected == NULL);
            cr_assert_eq(px_conf_error_count(c), expected == NULL ? 0 : 1);
            if (expected != NULL)
                cr_assert(strncmp(strstr(errors, "error: ") + 7, expected, strlen(expected)) == 0,
                          "%s\n%s", expected, errors);
            free(errors);
            px_conf_free(c);
            free(source);
        }
    }
}

Test(conf, syntax_errors_have_place_and_hint)
{
    expect_broken("a: 1\nb: c: d\n",
                  "x.yml:2:5: error: mapping values are not allowed in this context\n"
                  "    2 | b: c: d\n"
                  "      |     ^\n"
                  "      = quote text that holds \": \"; check the indentation above\n"
                  "x.yml: 1 error");
    expect_broken("a:\n\tb: 2\n",
                  "x.yml:2:1: error: found character that cannot start any token while scanning "
                  "for the next token\n"
                  "    2 |  b: 2\n"
                  "      | ^\n"
                  "      = indent with spaces, not tabs; quote text that begins with @ ` or %\n"
                  "x.yml: 1 error");
    expect_broken("a: 1\n---\nb: 2\n", "x.yml:2:1: error: a second document begins here\n"
                                       "    2 | ---\n"
                                       "      | ^\n"
                                       "      = keep one and leave out the line ---\n"
                                       "x.yml: 1 error");
    expect_broken("a: \"x\n\n",
                  "x.yml:3:1: error: found unexpected end of stream while scanning a quoted scalar "
                  "that begins on line 1\n"
                  "    3 | \n"
                  "      | ^\n"
                  "      = a quote or bracket is not closed\n"
                  "x.yml: 1 error");
    expect_broken("a: 1\nb: x\xff\n", "x.yml:2:5: error: not UTF-8 text: invalid leading UTF-8 "
                                      "octet\n"
                                      "    2 | b: x\\xff\n"
                                      "      |     ^^^^\n"
                                      "x.yml: 1 error");
    expect_broken("a: \x01\n",
                  "x.yml:1:4: error: not UTF-8 text: control characters are not allowed\n"
                  "    1 | a: \\x01\n"
                  "      |    ^^^^\n"
                  "x.yml: 1 error");
}

Test(conf, what_yaml_can_do_beyond_plain_trees_is_refused)
{
    struct px_conf *c = parse("a: &x 1\n"
                              "b: *x\n"
                              "c: !!str d\n"
                              "? [k]\n"
                              ": v\n"
                              "\"n\\0\": 1\n");
    struct px_conf_node *root = px_conf_root(c);
    const char *text;
    cr_assert_not(px_conf_text(c, px_conf_get(root, "a"), "a", &text), "it is wrong already");
    px_conf_unknown_keys(c, root, NULL, NULL, 0);
    expect_errors(c, "x.yml:1:4: error: anchors (&) and aliases (*) are not used here\n"
                     "    1 | a: &x 1\n"
                     "      |    ^^^^\n"
                     "      = write the value itself\n"
                     "x.yml:2:4: error: anchors (&) and aliases (*) are not used here\n"
                     "    2 | b: *x\n"
                     "      |    ^^\n"
                     "      = write the value itself\n"
                     "x.yml:3:4: error: tags (!) are not used here\n"
                     "    3 | c: !!str d\n"
                     "      |    ^^^^^^^\n"
                     "      = write the value itself\n"
                     "x.yml:4:3: error: a key must be text\n"
                     "    4 | ? [k]\n"
                     "      |   ^\n"
                     "x.yml:6:1: error: a NUL character is not text\n"
                     "    6 | \"n\\0\": 1\n"
                     "      | ^^^^^\n"
                     "x.yml: 5 errors");
    px_conf_free(c);
}

Test(conf, errors_of_the_file_as_a_whole_come_first)
{
    struct px_conf *c = parse("a: 1\n");
    px_conf_error(c, px_conf_get(px_conf_root(c), "a"), NULL, "second");
    px_conf_error(c, NULL, "add one", "no %s", "targets");
    expect_errors(c, "x.yml: error: no targets\n"
                     "      = add one\n"
                     "x.yml:1:4: error: second\n"
                     "    1 | a: 1\n"
                     "      |    ^\n"
                     "x.yml: 2 errors");
    px_conf_free(c);
}

Test(conf, source_lines_are_safe_to_show)
{
    struct px_conf *c = parse("k\xc3\xa9y: '\xe2\x80\xae"
                              "evil'   # \xc2\x85"
                              "x: 1\r\n");
    struct px_conf_node *n = px_conf_get(px_conf_root(c), "k\xc3\xa9y");
    px_conf_error(c, n, "h\x1b[2J", "is %s",
                  "b\xff"
                  "ad");
    expect_errors(c, "x.yml:1:6: error: is b\\xffad\n"
                     "    1 | k\xc3\xa9y: '\\u{202e}evil'   # \n"
                     "      |      ^^^^^^^^^^^^^^\n"
                     "      = h\\x1b[2J\n"
                     "x.yml: 1 error");
    px_conf_free(c);
}

Test(conf, long_lines_are_cut_around_the_caret)
{
    char *text = px_xcalloc(4000, 1);
    strcpy(text, "k: [");
    for (int i = 0; i < 200; i++)
        strcat(text, "aaaaaaaa, ");
    strcat(text, "WRONG, ");
    for (int i = 0; i < 100; i++)
        strcat(text, "bbbbbbbb, ");
    strcat(text, "]");
    struct px_conf *c = parse(text);
    struct px_conf_node *n = px_conf_get(px_conf_root(c), "k")->first;
    while (strcmp(n->text, "WRONG") != 0)
        n = n->next;
    px_conf_error(c, n, NULL, "here");
    px_conf_error(c, n->next, NULL, "and here");
    char *errors = px_conf_errors(c);
    const char *source = strstr(errors, " | "), *caret = strstr(errors, "      | ");
    cr_assert_lt(strlen(errors), 800);
    cr_assert_eq(strchr(caret, '^') - caret - 8, strstr(source, "WRONG") - source - 3);
    cr_assert_not_null(strstr(caret, "^^^^^\n"));
    free(errors);
    free(text);
    px_conf_free(c);
}

Test(conf, files)
{
    char path[] = "/tmp/parallax-conf-XXXXXX";
    struct px_err err = {0};
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, "a: 7\n", 5), 5);
    close(fd);
    struct px_conf *c = px_conf_open(path, &err);
    cr_assert_not_null(c, "%s", err.message);
    cr_assert_str_eq(px_conf_get(px_conf_root(c), "a")->text, "7");
    px_conf_free(c);
    unlink(path);
    cr_assert_null(px_conf_open(path, &err));
    cr_assert_str_eq(err.code, "no-file");
    cr_assert_not_null(strstr(err.message, path));
    cr_assert_not_null(strstr(err.message, "No such file"));
    cr_assert_null(px_conf_open("/tmp", &err));
    cr_assert_str_eq(err.message, "cannot read /tmp: Is a directory");
}

/* ---- limits: each is exceeded by one ---- */

Test(conf, depth_has_a_limit)
{
    char text[2 * PX_CONF_DEPTH_MAX + 8];
    for (size_t depth = PX_CONF_DEPTH_MAX; depth <= PX_CONF_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        struct px_conf *c = px_conf_parse("x.yml", text, 2 * depth);
        bool fits = depth == PX_CONF_DEPTH_MAX;
        cr_assert_eq(px_conf_root(c) != NULL, fits);
        cr_assert_eq(px_conf_error_count(c), fits ? 0 : 1);
        char *errors = px_conf_errors(c);
        cr_assert_eq(strstr(errors, "x.yml:1:33: error: nested more than 32 levels deep") == NULL,
                     fits);
        free(errors);
        px_conf_free(c);
    }
}

Test(conf, the_number_of_values_has_a_limit)
{
    for (size_t n = PX_CONF_NODES_MAX - 1; n <= PX_CONF_NODES_MAX; n++) {
        char *text = px_xcalloc(2 * n + 3, 1);
        for (size_t i = 0; i < n; i++)
            memcpy(text + 1 + 2 * i, "a,", 2);
        text[0] = '[';
        text[2 * n + 1] = ']';
        struct px_conf *c = parse(text);
        bool fits = n < PX_CONF_NODES_MAX; /* the list itself is one, too */
        cr_assert_eq(px_conf_root(c) != NULL, fits, "%zu", n);
        char *errors = px_conf_errors(c);
        cr_assert_eq(strstr(errors, "error: too many values for one file") == NULL, fits);
        free(errors);
        px_conf_free(c);
        free(text);
    }
}

Test(conf, the_size_has_a_limit)
{
    size_t most = PX_CONF_BYTES_MAX;
    char *text = px_xcalloc(most + 2, 1), path[] = "/tmp/parallax-conf-XXXXXX";
    memset(text, '#', most + 1);
    struct px_conf *c = px_conf_parse("x.yml", text, most);
    cr_assert_eq(px_conf_error_count(c), 0);
    px_conf_free(c);
    c = px_conf_parse("x.yml", text, most + 1);
    expect_errors(c, "x.yml: error: more than 4194304 bytes\nx.yml: 1 error");
    px_conf_free(c);
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, most + 1), (ssize_t)most + 1);
    close(fd);
    c = px_conf_open(path, NULL);
    cr_assert_eq(px_conf_error_count(c), 1);
    px_conf_free(c);
    unlink(path);
    free(text);
}

Test(conf, the_number_of_errors_shown_has_a_limit)
{
    struct px_conf *c = parse("a: 1\n");
    for (unsigned i = 0; i <= PX_CONF_ERRORS_MAX; i++)
        px_conf_error(c, px_conf_root(c), NULL, "number %u", i);
    cr_assert_eq(px_conf_error_count(c), PX_CONF_ERRORS_MAX + 1);
    char *errors = px_conf_errors(c);
    cr_assert_not_null(strstr(errors, "number 999\n"));
    cr_assert_null(strstr(errors, "number 1000\n"));
    cr_assert_not_null(strstr(errors, "x.yml: 1001 errors, of which 1000 are shown"));
    free(errors);
    px_conf_free(c);
}

/* ---- noise ---- */

/* Every node is inside the text and typed reading never crashes. */
static void walk(struct px_conf *c)
{
    struct px_conf_node *todo[PX_CONF_DEPTH_MAX + 1];
    size_t depth = 0;
    todo[0] = px_conf_root(c);
    while (todo[depth] != NULL || depth > 0) {
        struct px_conf_node *n = todo[depth];
        const char *text;
        int64_t number;
        bool flag;
        if (n == NULL) {
            depth--;
            todo[depth] = todo[depth]->next;
            continue;
        }
        cr_assert(n->line > 0 && n->column > 0 && n->width > 0);
        cr_assert_eq(n->kind == PX_CONF_SCALAR, n->text != NULL);
        px_conf_text(c, n, "v", &text);
        px_conf_integer(c, n, "v", 0, 9, &number);
        px_conf_duration(c, n, "v", 0, 9, &number);
        px_conf_boolean(c, n, "v", &flag);
        px_conf_unknown_keys(c, n, "w", NULL, 0);
        if (n->first != NULL) {
            cr_assert_lt(depth, PX_CONF_DEPTH_MAX);
            todo[++depth] = n->first;
        } else {
            todo[depth] = n->next;
        }
    }
}

static void check_any(const char *text, size_t length)
{
    struct px_conf *c = px_conf_parse("x.yml", text, length);
    cr_assert(px_conf_root(c) != NULL || px_conf_error_count(c) <= 1 + length);
    walk(c);
    char *errors = px_conf_errors(c);
    cr_assert_eq(errors[0] == '\0', px_conf_error_count(c) == 0);
    free(errors);
    px_conf_free(c);
}

Test(conf, damaged_files_never_crash)
{
    static const char seed[] = "listen: {nodes: \"tcp://0.0.0.0:7331\", web: 'x'}\n"
                               "checks:\n"
                               "  - name: admin-paths   # comment\n"
                               "    from: [all, !vpn1]\n"
                               "    text: |\n"
                               "      block\n"
                               "    every: 60s\n"
                               "  - {name: b, every: 5m}\n";
    struct noise noise = {1234};
    char text[2 * sizeof(seed) + 100];
    for (int i = 0; i < 20000; i++) {
        size_t length = sizeof(seed) - 1;
        memcpy(text, seed, length);
        noise_mutate(&noise, "{}[]:,-?&*!|>'\"%@` \n\t#~.\\", text, &length);
        check_any(text, length);
    }
}

Test(conf, noise_never_crashes)
{
    struct noise noise = {77};
    char text[64];
    for (int i = 0; i < 40000; i++) {
        noise_text(&noise, i % 2 ? "ab:- \n[]{},&*!?#'\"|>" : NULL, sizeof(text) - 1, text);
        check_any(text, strlen(text));
    }
}
