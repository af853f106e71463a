/* SPDX-License-Identifier: MIT */
/* Keys, their files, fingerprints and join tokens. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/key_words.h"
#include "proto/keys.h"

static char dir[64], path[128];

static void setup(void)
{
    snprintf(dir, sizeof(dir), "/tmp/parallax-keys-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/node.key", dir);
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(keys, .init = setup, .fini = teardown);

static void write_file(const char *text, mode_t mode)
{
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
    cr_assert_eq(chmod(path, mode), 0);
}

Test(keys, saved_keys_load_again_with_mode_0600)
{
    struct key_pair made, loaded;
    struct px_err err = {0};
    struct stat st;
    key_generate(&made);
    cr_assert_eq(key_save(path, &made, &err), 0, "%s", err.message);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0600);
    cr_assert_eq(st.st_nlink, 1);
    cr_assert_eq(key_load(path, &loaded, &err), 0, "%s", err.message);
    cr_assert_eq(memcmp(&made, &loaded, sizeof(made)), 0);
}

Test(keys, a_key_is_never_overwritten)
{
    struct key_pair first, second, loaded;
    struct px_err err = {0};
    key_generate(&first);
    key_generate(&second);
    cr_assert_neq(memcmp(&first, &second, sizeof(first)), 0);
    cr_assert_eq(key_save(path, &first, NULL), 0);
    cr_assert_eq(key_save(path, &second, &err), -1);
    cr_assert_str_eq(err.code, "key-exists");
    cr_assert_eq(key_load(path, &loaded, NULL), 0);
    cr_assert_eq(memcmp(&first, &loaded, sizeof(first)), 0);
}

Test(keys, load_or_create_makes_one_key_only)
{
    struct key_pair a, b;
    struct px_err err = {0};
    cr_assert_eq(key_load_or_create(path, &a, &err), 0, "%s", err.message);
    cr_assert_eq(key_load_or_create(path, &b, &err), 0, "%s", err.message);
    cr_assert_eq(memcmp(&a, &b, sizeof(a)), 0);
}

Test(keys, files_that_others_can_read_are_refused)
{
    static const mode_t modes[] = {0644, 0640, 0604, 0660, 0610};
    struct key_pair k;
    key_generate(&k);
    cr_assert_eq(key_save(path, &k, NULL), 0);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        struct px_err err = {0};
        cr_assert_eq(chmod(path, modes[i]), 0);
        cr_assert_eq(key_load(path, &k, &err), -1);
        cr_assert_str_eq(err.code, "key-mode");
        cr_assert_not_null(strstr(err.message, path));
        cr_assert_not_null(strstr(err.hint, "chmod 600"));
        cr_assert_eq(key_load_or_create(path, &k, &err), -1);
        cr_assert_str_eq(err.code, "key-mode");
    }
}

Test(keys, missing_files_and_folders_are_told_apart)
{
    struct key_pair k;
    struct px_err err = {0};
    cr_assert_eq(key_load(path, &k, &err), -1);
    cr_assert_str_eq(err.code, "no-key");
    key_generate(&k);
    cr_assert_eq(key_save("/nonexistent/x/node.key", &k, &err), -1);
    cr_assert_str_eq(err.code, "key-file");
    cr_assert_eq(key_load(dir, &k, &err), -1);
    cr_assert_str_eq(err.code, "bad-key");
}

Test(keys, damaged_files_are_refused)
{
    struct key_pair k;
    char text[600];
    key_generate(&k);
    cr_assert_eq(key_save(path, &k, NULL), 0);
    FILE *f = fopen(path, "r");
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    text[n] = '\0';
    for (size_t i = 0; i < n; i++) {
        char broken[600];
        struct px_err err = {0};
        memcpy(broken, text, n + 1);
        broken[i] = broken[i] == '1' ? '2' : '1';
        write_file(broken, 0600);
        int result = key_load(path, &k, &err);
        /* X25519 ignores three bits of the first and two of the last byte of a secret */
        bool clamped = i == n - 2 || i == n - 3 || i == n - 64 || i == n - 65;
        cr_assert(result == -1 || clamped, "byte %zu of %zu changed unnoticed", i, n);
        broken[i] = '\0';
        write_file(broken, 0600);
        cr_assert_eq(key_load(path, &k, &err), -1, "cut at %zu", i);
        cr_assert_str_eq(err.code, "bad-key");
    }
}

Test(keys, fingerprints_are_short_stable_and_different)
{
    char a[KEY_FINGERPRINT_TEXT], b[KEY_FINGERPRINT_TEXT];
    uint8_t key[KEY_BYTES] = {0};
    key_fingerprint(key, a);
    cr_assert_str_eq(a, key_fingerprint(key, b));
    cr_assert_str_eq(a, "aster-e2c3-1884", "%s", a);
    key[31] = 1;
    cr_assert_str_neq(a, key_fingerprint(key, b));
    for (int i = 0; i < 2000; i++) {
        struct key_pair k;
        char word[KEY_FINGERPRINT_TEXT];
        key_generate(&k);
        key_fingerprint(k.public_key, a);
        unsigned x, y;
        cr_assert_eq(sscanf(a, "%23[a-z]-%4x-%4x", word, &x, &y), 3, "%s", a);
        cr_assert_lt(strlen(a), (size_t)KEY_FINGERPRINT_TEXT);
    }
}

Test(keys, words_of_fingerprints_are_distinct)
{
    for (int i = 0; i < 256; i++) {
        cr_assert_leq(strlen(key_words[i]), 8u);
        for (int j = 0; j < i; j++)
            cr_assert_str_neq(key_words[i], key_words[j]);
    }
}

/* ---- tokens ---- */

static struct token sample(enum token_role role, const char *host)
{
    struct token t = {.role = role, .port = 7331};
    snprintf(t.host, sizeof(t.host), "%s", host);
    for (int i = 0; i < KEY_BYTES; i++) {
        t.server_key[i] = (uint8_t)(i * 7);
        t.secret[i] = (uint8_t)(255 - i);
    }
    return t;
}

static void assert_same(const struct token *a, const struct token *b)
{
    cr_assert_eq(a->role, b->role);
    cr_assert_str_eq(a->host, b->host);
    cr_assert_eq(a->port, b->port);
    cr_assert_eq(memcmp(a->server_key, b->server_key, KEY_BYTES), 0);
    cr_assert_eq(memcmp(a->secret, b->secret, TOKEN_SECRET), 0);
}

Test(tokens, come_back_the_same)
{
    char longest[254];
    memset(longest, 'a', sizeof(longest));
    longest[253] = '\0';
    for (int i = 63; i < 253; i += 64)
        longest[i] = '.';
    const char *hosts[] = {"coord.example.net", "192.0.2.1", "2001:db8::1", "a", longest};
    for (size_t h = 0; h < sizeof(hosts) / sizeof(hosts[0]); h++) {
        for (int role = TOKEN_NODE; role <= TOKEN_VIEWER; role++) {
            char text[TOKEN_TEXT_MAX];
            struct px_err err = {0};
            struct token t = sample((enum token_role)role, hosts[h]), back;
            token_format(&t, text);
            cr_assert_lt(strlen(text), (size_t)TOKEN_TEXT_MAX);
            cr_assert_eq(strncmp(text, role == TOKEN_NODE ? "plx1-" : "plu1-", 5), 0);
            cr_assert_eq(token_parse(text, &back, &err), 0, "%s: %s", text, err.message);
            assert_same(&t, &back);
        }
    }
}

Test(tokens, forgive_case_blanks_and_look_alikes)
{
    char text[TOKEN_TEXT_MAX], loose[2 * TOKEN_TEXT_MAX] = "  ";
    struct token t = sample(TOKEN_NODE, "coord.example.net"), back;
    token_format(&t, text);
    size_t n = 2;
    for (size_t i = 0; text[i] != '\0'; i++) {
        char c = (char)toupper((unsigned char)text[i]);
        loose[n++] = i > 5 && c == '0' ? 'O' : i > 5 && c == '1' ? 'I' : c;
        if (i > 5 && i % 40 == 0)
            loose[n++] = '\n';
    }
    loose[n++] = '\n';
    loose[n] = '\0';
    cr_assert_eq(token_parse(loose, &back, NULL), 0);
    assert_same(&t, &back);
}

Test(tokens, every_typing_error_is_noticed)
{
    char text[TOKEN_TEXT_MAX], broken[TOKEN_TEXT_MAX];
    struct token t = sample(TOKEN_NODE, "coord.example.net"), back;
    token_format(&t, text);
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        struct px_err err = {0};
        if (text[i] == '-')
            continue;
        memcpy(broken, text, n + 1);
        broken[i] = broken[i] == 'k' ? 'm' : 'k';
        bool padding = i == n - 1; /* its last bits carry nothing */
        cr_assert(token_parse(broken, &back, &err) == -1 || padding, "digit %zu", i);
        memcpy(broken, text, n + 1);
        broken[i] = '\0';
        cr_assert_eq(token_parse(broken, &back, &err), -1, "cut at %zu", i);
        cr_assert_str_eq(err.code, "bad-token");
        cr_assert_str_neq(err.hint, "");
    }
    for (size_t i = 5; i + 1 < n; i++) { /* two digits swapped */
        memcpy(broken, text, n + 1);
        if (broken[i] == broken[i + 1] || broken[i] == '-' || broken[i + 1] == '-')
            continue;
        broken[i] = text[i + 1];
        broken[i + 1] = text[i];
        cr_assert_eq(token_parse(broken, &back, NULL), -1, "swapped at %zu", i);
    }
}

Test(tokens, what_is_none_is_said)
{
    static const struct {
        const char *text, *named;
    } rows[] = {
        {"", "begin with plx1- or plu1-"},
        {"hello", "begin with"},
        {"plx2-aaaa", "begin with"},
        {"plx1-", "cut off"},
        {"plx1-aaaa-bbbb", "cut off"},
        {"plx1-aa!a", "holds \"!\""},
        {"plx1-aa\x1b[31m", "holds \"\\x1b\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct token t;
        struct px_err err = {0};
        cr_assert_eq(token_parse(rows[i].text, &t, &err), -1, "%s", rows[i].text);
        cr_assert_not_null(strstr(err.message, rows[i].named), "%s", err.message);
    }
    char endless[4 * TOKEN_TEXT_MAX];
    struct token t;
    struct px_err err = {0};
    memset(endless, 'a', sizeof(endless));
    memcpy(endless, "plx1-", 5);
    endless[sizeof(endless) - 1] = '\0';
    cr_assert_eq(token_parse(endless, &t, &err), -1);
    cr_assert_not_null(strstr(err.message, "too long"));
}

Test(tokens, a_node_token_is_no_user_token)
{
    char text[TOKEN_TEXT_MAX];
    struct token t = sample(TOKEN_NODE, "coord.example.net"), back;
    token_format(&t, text);
    text[2] = 'u'; /* plx1 -> plu1 */
    cr_assert_eq(token_parse(text, &back, NULL), -1);
}

Test(tokens, roles_have_words)
{
    for (int role = TOKEN_NODE; role <= TOKEN_VIEWER; role++)
        cr_assert_eq(token_role_parse(token_role_name((enum token_role)role)), role);
    cr_assert_eq(token_role_parse("admin"), -1);
    cr_assert_str_eq(token_role_name((enum token_role)9), "?");
}

Test(tokens, the_kept_hash_is_of_the_secret)
{
    uint8_t a[32], b[32];
    struct token t = sample(TOKEN_NODE, "x");
    token_secret_hash(t.secret, a);
    cr_assert_neq(memcmp(a, t.secret, 32), 0);
    t.secret[5] ^= 1;
    token_secret_hash(t.secret, b);
    cr_assert_neq(memcmp(a, b, 32), 0);
}
