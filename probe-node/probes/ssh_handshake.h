/* SPDX-License-Identifier: MIT */
/*
 * The key exchange through libssh on a socket that is already connected. Knows no event loop: the
 * caller waits for what ssh_handshake_interest says on its own descriptor and calls
 * ssh_handshake_step. libssh works on a duplicate, because it closes descriptors when it likes.
 */
#ifndef PX_PROBES_SSH_HANDSHAKE_H
#define PX_PROBES_SSH_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/observation.h"

/* More than any server sends until its keys are agreed; beyond that it floods. */
#define SSH_HANDSHAKE_BYTES_MAX ((size_t)512 * 1024)
/* Payload of the message that must fill a packet of ordinary size. */
#define SSH_HANDSHAKE_LARGE 1500

enum ssh_handshake_progress {
    SSH_HANDSHAKE_WAIT,   /* wait for the socket, call step again */
    SSH_HANDSHAKE_AGREED, /* keys agreed, host key verified */
    SSH_HANDSHAKE_FAILED, /* ssh_handshake_explain says why */
};

enum ssh_handshake_interest { SSH_HANDSHAKE_READ = 1, SSH_HANDSHAKE_WRITE = 2 };

struct ssh_handshake;

/* Initialise libssh and its crypto library once per process (some milliseconds that would otherwise
 * be counted as the first target's). Called by open; call it earlier to keep the first one honest.
 */
void ssh_handshake_warm_up(void);

/* `fd` stays the caller's and must outlive the handshake. NULL: no memory or no descriptor. */
struct ssh_handshake *ssh_handshake_open(int fd);
/* Never blocks. The very first step sends our greeting and reads nothing. */
enum ssh_handshake_progress ssh_handshake_step(struct ssh_handshake *h);
/* What to wait for: an OR of enum ssh_handshake_interest. */
unsigned ssh_handshake_interest(const struct ssh_handshake *h);

/* After AGREED: fill hostkey_type, hostkey and kex of the observation. */
void ssh_handshake_result(const struct ssh_handshake *h, struct px_observation *obs);
/* After FAILED: why, into text (size > 0); returns KEX_MISMATCH, KEX_RESET, KEX_TIMEOUT
 * or UNABLE. */
enum px_code ssh_handshake_explain(const struct ssh_handshake *h, char *text, size_t size);
/* How far it came, for people: "after our greeting", ... Static string. */
const char *ssh_handshake_progress_name(const struct ssh_handshake *h);

/* After AGREED: send an SSH_MSG_IGNORE that fills more than one packet of 1,500 bytes. False if the
 * connection broke. */
bool ssh_handshake_send_large(struct ssh_handshake *h);
/* Everything libssh had to send has been given to the kernel. */
bool ssh_handshake_flushed(const struct ssh_handshake *h);
/* After AGREED: take leave (SSH_MSG_DISCONNECT). The kernel delivers it after close(fd), provided
 * nothing unread is left in the socket, which this sees to. */
void ssh_handshake_leave(struct ssh_handshake *h);

/* NULL is fine. Closes libssh's duplicate, never the caller's descriptor. */
void ssh_handshake_close(struct ssh_handshake *h);

#endif
