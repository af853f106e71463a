/* SPDX-License-Identifier: MIT */
/*
 * Algorithms: what the probe offers, and whether a failed negotiation is the target's fault or the
 * probe's own limit (OpenSSH clients would have succeeded). Pure text, no library.
 */
#ifndef PX_PROBES_SSH_OFFER_H
#define PX_PROBES_SSH_OFFER_H

#include <stddef.h>

#include "common/vocab.h"

/* The probe's offers, in an order that is the same on every vantage: otherwise two of them could
 * legally see two different host keys of one target. Key exchanges that cost more than a few
 * milliseconds are left out; they would stall every other probe of the event loop. */
extern const char ssh_offer_kex[];
extern const char ssh_offer_hostkeys[];
extern const char ssh_offer_ciphers[];
extern const char ssh_offer_macs[];

/* If `error` (libssh's message) says that negotiation found nothing in common, or that the target
 * exceeds what libssh can, write the explanation to text. UNABLE, and a text that begins with
 * "probe cannot:", when a current OpenSSH client would have agreed with the target: that says
 * nothing against it. Else KEX_MISMATCH. UNKNOWN if the message is about something else. */
enum px_code ssh_offer_explain(const char *error, char *text, size_t size);

#endif
