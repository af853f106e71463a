/* SPDX-License-Identifier: MIT */
/* Keeps the last question in a file of lines "word value" in the state folder. */
#include "cli/last.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/state.h"
#include "common/text.h"

#define LINE_BYTES (WIRE_SELECTOR_MAX + 64)

_Static_assert(LINE_BYTES > PX_TARGET_URL + 16, "a line holds a target");

static char *last_path(void)
{
    char folder[STATE_PATH_MAX];
    struct px_err err;
    if (state_folder(folder, sizeof folder, &err) != 0)
        return NULL;
    return px_xasprintf("%s/last", folder);
}

/* One line without its end. False if it is none of ours. */
static bool line_read(struct last *l, char *line)
{
    char *value = strchr(line, ' ');
    if (!value)
        return false;
    *value++ = '\0';
    if (strcmp(line, "target") == 0 && l->targets.n < WIRE_TARGETS_MAX)
        px_strs_add(&l->targets, value);
    else if (strcmp(line, "from") == 0)
        return px_text_copy(l->from, sizeof l->from, value) == 0;
    else if (strcmp(line, "depth") == 0)
        return px_text_copy(l->depth, sizeof l->depth, value) == 0;
    else if (strcmp(line, "here") == 0)
        l->here = strcmp(value, "yes") == 0;
    else
        return false;
    return true;
}

int last_load(struct last *l, struct px_err *err)
{
    char line[LINE_BYTES];
    bool good = true;
    memset(l, 0, sizeof *l);
    char *path = last_path();
    FILE *f = path ? fopen(path, "re") : NULL;
    free(path);
    while (good && f && fgets(line, sizeof line, f)) {
        size_t length = strcspn(line, "\n");
        good = line[length] == '\n';
        line[length] = '\0';
        good = good && line_read(l, line);
    }
    if (f)
        fclose(f);
    if (good && l->targets.n > 0)
        return 0;
    px_err_set(err, "no-last", "no last question is remembered");
    return px_err_hint(err, "name a target:  plx check TARGET");
}

void last_save(const struct last *l)
{
    char *path = last_path();
    if (!path)
        return;
    char *fresh = px_xasprintf("%s.%ld.new", path, (long)getpid());
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (f) {
        for (size_t i = 0; i < l->targets.n; i++)
            fprintf(f, "target %s\n", l->targets.v[i]);
        if (*l->from)
            fprintf(f, "from %s\n", l->from);
        if (*l->depth)
            fprintf(f, "depth %s\n", l->depth);
        fprintf(f, "here %s\n", l->here ? "yes" : "no");
        if (fclose(f) != 0 || rename(fresh, path) != 0)
            unlink(fresh);
    }
    free(fresh);
    free(path);
}

void last_clear(struct last *l)
{
    px_strs_clear(&l->targets);
    memset(l, 0, sizeof *l);
}
