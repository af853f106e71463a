/* SPDX-License-Identifier: MIT */
/*
 * The passive first look at what speaks on an SSH port: reads lines without sending a byte, keeps
 * foreign ones, stops in front of "SSH-...". Judges complete lines only, bounded in every
 * direction.
 */
#ifndef PX_PROBES_SSH_BANNER_H
#define PX_PROBES_SSH_BANNER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/observation.h"

#define SSH_BANNER_LINE_MAX 1024   /* bytes of one line, its end included */
#define SSH_BANNER_LINES_MAX 64    /* lines before the SSH one */
#define SSH_BANNER_BYTES_MAX 16384 /* of those lines together */

enum ssh_banner_end { SSH_BANNER_CLOSED, SSH_BANNER_RESET, SSH_BANNER_LATE };

struct ssh_banner {
    enum px_code code;          /* UNKNOWN = undecided, OK = `line` is an SSH 2 greeting */
    char line[PX_TEXT_MAX + 1]; /* the SSH greeting without its end */
    char text[PX_TEXT_MAX + 1]; /* everything else that was said, lines joined by " | " */
    bool asked;     /* our own greeting has been sent: an answer is no refusal any more */
    unsigned lines; /* foreign lines so far */
    size_t bytes;   /* in those lines */
    size_t partial; /* bytes of an incomplete line seen, still in the socket */
};

void ssh_banner_init(struct ssh_banner *b);

/* Judge `len` bytes that start at the beginning of a line. Returns how many of them (complete
 * foreign lines) are done with; the rest must be offered again with more behind it. b->code says
 * whether that decided it. Pure. */
size_t ssh_banner_parse(struct ssh_banner *b, const char *data, size_t len);

/* Nothing more will come; `data` is what is left of an incomplete line. Decides b->code. Pure. */
void ssh_banner_finish(struct ssh_banner *b, const char *data, size_t len, enum ssh_banner_end how);

/* One wake-up of a readable TCP socket: peek, judge, consume foreign lines, set SO_RCVLOWAT so that
 * the next wake-up brings news. A greeting stays in the socket. Returns b->code; UNKNOWN = wait on.
 * Never blocks. */
enum px_code ssh_banner_read(struct ssh_banner *b, int fd);

/* The time is over: judge by what there is. Returns b->code, never UNKNOWN. */
enum px_code ssh_banner_expire(struct ssh_banner *b, int fd);

#endif
