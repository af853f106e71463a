/* SPDX-License-Identifier: MIT */
/* Words for fingerprints, by the first byte of the hash. */
#ifndef PX_PROTO_KEY_WORDS_H
#define PX_PROTO_KEY_WORDS_H

extern const char *const key_words[256];

#endif
