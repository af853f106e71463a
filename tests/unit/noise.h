/* SPDX-License-Identifier: MIT */
/* Seeded random bytes for tests that feed parsers with nonsense: the same in every run. */
#ifndef TESTS_UNIT_NOISE_H
#define TESTS_UNIT_NOISE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct noise {
    uint64_t state; /* any seed but 0 */
};

static inline uint64_t noise_next(struct noise *n)
{
    n->state ^= n->state << 13;
    n->state ^= n->state >> 7;
    n->state ^= n->state << 17;
    return n->state;
}

static inline size_t noise_below(struct noise *n, size_t limit)
{
    return (size_t)(noise_next(n) % limit);
}

/* Text of 0..max characters out of an alphabet; NULL = any byte but NUL. out: max + 1 bytes. */
static inline char *noise_text(struct noise *n, const char *alphabet, size_t max, char *out)
{
    size_t length = noise_below(n, max + 1);
    for (size_t i = 0; i < length; i++)
        out[i] = alphabet != NULL ? alphabet[noise_below(n, strlen(alphabet))]
                                  : (char)(1 + noise_below(n, 255));
    out[length] = '\0';
    return out;
}

/* Change, remove or repeat a few bytes of text[0..*length); room for twice the length. */
static inline void noise_mutate(struct noise *n, const char *alphabet, char *text, size_t *length)
{
    for (size_t times = 1 + noise_below(n, 4); times > 0 && *length > 1; times--) {
        size_t at = noise_below(n, *length);
        size_t count = 1 + noise_below(n, *length - at < 12 ? *length - at : 12);
        switch (noise_below(n, 4)) {
        case 0:
            text[at] = (char)noise_next(n);
            break;
        case 1:
            text[at] = alphabet[noise_below(n, strlen(alphabet))];
            break;
        case 2:
            memmove(text + at, text + at + count, *length - at - count);
            *length -= count;
            break;
        default:
            memmove(text + at + count, text + at, *length - at);
            *length += count;
            break;
        }
    }
}

#endif
