/* SPDX-License-Identifier: MIT */
/* Finds or makes the folder for state. A folder of somebody else is never used. */
#include "cli/state.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Make the folder and those above it; false if it is not there and ours afterwards. */
static bool folder_make(const char *path)
{
    char part[STATE_PATH_MAX];
    struct stat info;
    for (size_t i = 1; i <= strlen(path); i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        snprintf(part, sizeof part, "%.*s", (int)i, path);
        (void)mkdir(part, 0700); /* whether it worked is seen below */
    }
    return lstat(path, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid() &&
           access(path, W_OK | X_OK) == 0;
}

int state_folder(char *out, size_t size, struct px_err *err)
{
    const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (xdg && xdg[0] == '/') {
        if ((size_t)snprintf(out, size, "%s/parallax", xdg) < size && folder_make(out))
            return 0;
    } else if (home && home[0] == '/') {
        if ((size_t)snprintf(out, size, "%s/.local/state/parallax", home) < size &&
            folder_make(out))
            return 0;
    }
    snprintf(out, size, "/tmp/parallax-%u", (unsigned)geteuid());
    if (folder_make(out))
        return 0;
    px_err_set(err, "no-state", "no folder to remember handshakes in: %s is not ours to write",
               out);
    return px_err_hint(err, "set XDG_STATE_HOME to a folder of yours");
}
