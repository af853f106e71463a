/* SPDX-License-Identifier: MIT */
/* The user's configuration: what is written is read back, what is wrong is said with its place. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/context.h"

static char folder[64], path[128];
static struct px_err err;

static void open_folder(void)
{
    strcpy(folder, "/tmp/plx-context-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a/config.yml", folder);
    unsetenv("PARALLAX_CONTEXT");
    unsetenv("PARALLAX_COORDINATOR");
    unsetenv("PARALLAX_KEY_FILE");
}

static void remove_folder(void)
{
    char part[160];
    unlink(path);
    snprintf(part, sizeof part, "%s/a", folder);
    rmdir(part);
    cr_assert_eq(rmdir(folder), 0, "something was left behind in %s", folder);
}

TestSuite(context, .init = open_folder, .fini = remove_folder);

static void write_file(const char *text)
{
    char part[160];
    snprintf(part, sizeof part, "%s/a", folder);
    mkdir(part, 0700);
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    fputs(text, f);
    fclose(f);
}

static struct context sample(const char *name)
{
    struct context c = {.port = 7331, .role = "operator", .label_count = 2};
    snprintf(c.name, sizeof c.name, "%s", name);
    strcpy(c.host, "2001:db8::1");
    strcpy(c.identity, "ann");
    snprintf(c.key_file, sizeof c.key_file, "%s/a/%s.key", folder, name);
    for (int i = 0; i < KEY_BYTES; i++)
        c.server_key[i] = (uint8_t)(i * 7);
    strcpy(c.labels[0].key, "network");
    strcpy(c.labels[0].value, "office \"2\" \\ und so");
    strcpy(c.labels[1].key, "corp");
    return c;
}

Test(context, missing_file_is_empty)
{
    struct contexts c;
    struct context one;
    cr_assert_eq(contexts_open(&c, path, &err), 0);
    cr_assert_eq(c.n, 0);
    cr_assert_eq(contexts_choose(&c, NULL, &one, &err), 0);
    contexts_clear(&c);
}

Test(context, survives_writing_and_reading)
{
    struct contexts c, again;
    struct context one = sample("prod"), two = sample("lab.2");
    struct stat info;
    cr_assert_eq(contexts_open(&c, path, &err), 0);
    contexts_add(&c, &one);
    contexts_add(&c, &two);
    contexts_add(&c, &one);
    cr_assert_eq(c.n, 2, "the same name replaces");
    strcpy(c.current, "lab.2");
    cr_assert_eq(contexts_save(&c, &err), 0, "%s", err.message);
    cr_assert_eq(stat(path, &info), 0);
    cr_assert_eq(info.st_mode & 0777, 0600);

    cr_assert_eq(contexts_open(&again, path, &err), 0, "%s", again.errors ? again.errors : "");
    cr_assert_eq(again.n, 2);
    cr_assert_str_eq(again.current, "lab.2");
    const struct context *back = contexts_find(&again, "prod");
    cr_assert_not_null(back);
    cr_assert_eq(memcmp(back, &one, sizeof one), 0);
    contexts_remove(&again, "lab.2");
    cr_assert_eq(again.n, 1);
    cr_assert_str_eq(again.current, "");
    contexts_clear(&c);
    contexts_clear(&again);
}

Test(context, choice)
{
    struct contexts c;
    struct context one = sample("prod"), two = sample("lab"), got;
    cr_assert_eq(contexts_open(&c, path, &err), 0);
    contexts_add(&c, &one);
    contexts_add(&c, &two);
    strcpy(c.current, "prod");
    cr_assert_eq(contexts_choose(&c, NULL, &got, &err), 1);
    cr_assert_str_eq(got.name, "prod");
    setenv("PARALLAX_CONTEXT", "lab", 1);
    cr_assert_eq(contexts_choose(&c, NULL, &got, &err), 1);
    cr_assert_str_eq(got.name, "lab");
    cr_assert_eq(contexts_choose(&c, "prod", &got, &err), 1, "the flag wins");
    cr_assert_str_eq(got.name, "prod");
    cr_assert_eq(contexts_choose(&c, "prud", &got, &err), -1);
    cr_assert_str_eq(err.message, "no context \"prud\"; did you mean \"prod\"?");
    cr_assert_str_eq(err.hint, "known: prod lab");
    setenv("PARALLAX_COORDINATOR", "[::1]:99", 1);
    setenv("PARALLAX_KEY_FILE", "/k", 1);
    cr_assert_eq(contexts_choose(&c, NULL, &got, &err), 1);
    cr_assert_str_eq(got.host, "::1");
    cr_assert_eq(got.port, 99);
    cr_assert_str_eq(got.key_file, "/k");
    setenv("PARALLAX_COORDINATOR", "host:0", 1);
    cr_assert_eq(contexts_choose(&c, NULL, &got, &err), -1);
    contexts_clear(&c);
}

Test(context, all_errors_at_once_with_their_lines)
{
    struct contexts c;
    write_file("current: nobody\n"
               "contexts:\n"
               "  prod:\n"
               "    coordinator: host:99999\n"
               "    server-key: 12\n"
               "    colour: red\n");
    cr_assert_eq(contexts_open(&c, path, &err), -1);
    cr_assert_str_eq(err.code, "bad-config");
    cr_assert_not_null(c.errors);
    static const char *const wanted[] = {":4:",        "is not the address of a coordinator",
                                         ":5:",        "server-key is not 64 hexadecimal digits",
                                         ":6:",        "colour",
                                         "has no key", "there is no context \"nobody\""};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        cr_assert(strstr(c.errors, wanted[i]), "\"%s\" is not in\n%s", wanted[i], c.errors);
    contexts_clear(&c);
}

Test(context, strange_files)
{
    static const char *const texts[] = {
        "- a\n",    "contexts: 5\nx: [", "contexts:\n  ? [a]\n  : b\n", "contexts:\n  Ä: {}\n",
        "\x01\x02", "current: [a]\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct contexts c;
        write_file(texts[i]);
        cr_assert_eq(contexts_open(&c, path, &err), -1, "text %zu was accepted", i);
        cr_assert(*err.message);
        contexts_clear(&c);
    }
}

Test(context, addresses)
{
    char text[CONTEXT_ADDRESS_TEXT];
    struct context c = {.host = "coord.example.net", .port = 7331};
    cr_assert_str_eq(context_address(&c, text), "coord.example.net:7331");
    strcpy(c.host, "::1");
    cr_assert_str_eq(context_address(&c, text), "[::1]:7331");
}

Test(context, where_the_file_is)
{
    char out[256];
    setenv("HOME", "/home/x", 1);
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("PARALLAX_CONFIG");
    cr_assert_eq(contexts_path(NULL, out, sizeof out, &err), 0);
    cr_assert_str_eq(out, "/home/x/.config/parallax/config.yml");
    setenv("XDG_CONFIG_HOME", "/cfg", 1);
    cr_assert_eq(contexts_path(NULL, out, sizeof out, &err), 0);
    cr_assert_str_eq(out, "/cfg/parallax/config.yml");
    setenv("PARALLAX_CONFIG", "/own.yml", 1);
    cr_assert_eq(contexts_path(NULL, out, sizeof out, &err), 0);
    cr_assert_str_eq(out, "/own.yml");
    cr_assert_eq(contexts_path("flag.yml", out, sizeof out, &err), 0);
    cr_assert_str_eq(out, "flag.yml");
    cr_assert_eq(contexts_path("flag.yml", out, 3, &err), -1);
}
