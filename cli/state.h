/* SPDX-License-Identifier: MIT */
/* What plx remembers between two calls lies in one folder of the user's. */
#ifndef PLX_STATE_H
#define PLX_STATE_H

#include <stddef.h>

#include "common/err.h"

#define STATE_PATH_MAX 1024

/* The first of $XDG_STATE_HOME/parallax (or ~/.local/state/parallax) and /tmp/parallax-UID that is
 * ours to write; made if missing. 0, or -1 and err (code "no-state"). */
int state_folder(char *out, size_t size, struct px_err *err);

#endif
