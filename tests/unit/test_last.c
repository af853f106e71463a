/* SPDX-License-Identifier: MIT */
/* What `plx check @last` remembers, and where plx keeps its state. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/last.h"
#include "cli/state.h"

static char home[64];
static struct px_err err;

static void open_home(void)
{
    strcpy(home, "/tmp/plx-last-XXXXXX");
    cr_assert_not_null(mkdtemp(home));
    setenv("XDG_STATE_HOME", home, 1);
}

static void remove_home(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/parallax/last", home);
    unlink(path);
    snprintf(path, sizeof path, "%s/parallax", home);
    rmdir(path);
    cr_assert_eq(rmdir(home), 0, "something was left behind in %s", home);
}
TestSuite(last, .init = open_home, .fini = remove_home);

static void write_last(const char *text)
{
    char path[STATE_PATH_MAX + 8], folder[STATE_PATH_MAX];
    cr_assert_eq(state_folder(folder, sizeof folder, &err), 0);
    snprintf(path, sizeof path, "%s/last", folder);
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    fputs(text, f);
    fclose(f);
}

Test(last, is_what_was_saved)
{
    struct last l = {.from = "tag:eu,!fra1", .depth = "tcp", .here = true}, back;
    px_strs_add(&l.targets, "ssh://a.example.net:22");
    px_strs_add(&l.targets, "tcp://[2001:db8::1]:443");
    last_save(&l);
    cr_assert_eq(last_load(&back, &err), 0, "%s", err.message);
    cr_assert_eq(back.targets.n, 2);
    cr_assert_str_eq(back.targets.v[1], "tcp://[2001:db8::1]:443");
    cr_assert_str_eq(back.from, "tag:eu,!fra1");
    cr_assert_str_eq(back.depth, "tcp");
    cr_assert(back.here);
    last_clear(&l);
    last_clear(&back);
}

Test(last, nothing_and_nonsense_are_the_same_error)
{
    static const char *const texts[] = {NULL,       "",         "here yes\n",
                                        "target\n", "target x", "colour red\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct last l;
        if (texts[i])
            write_last(texts[i]);
        cr_assert_eq(last_load(&l, &err), -1, "text %zu was accepted", i);
        cr_assert_str_eq(err.code, "no-last");
        last_clear(&l);
    }
}

Test(last, state_is_private)
{
    char folder[STATE_PATH_MAX];
    struct stat info;
    cr_assert_eq(state_folder(folder, sizeof folder, &err), 0);
    cr_assert_eq(stat(folder, &info), 0);
    cr_assert_eq(info.st_mode & 0777, 0700);
    cr_assert(strncmp(folder, home, strlen(home)) == 0);
}
