/* SPDX-License-Identifier: MIT */
/* IP addresses and prefixes of both families as plain values. */
#ifndef PX_COMMON_ADDR_H
#define PX_COMMON_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct px_addr {
    uint8_t family;    /* 4, 6, or 0 = no address */
    uint8_t bytes[16]; /* network order; the first 4 for family 4; the rest zero */
};

struct px_prefix {
    struct px_addr addr; /* host bits zero */
    uint8_t len;
};

#define PX_ADDR_TEXT 48

/* Numeric only, no zone, no brackets; v4-mapped IPv6 becomes family 4. False: *out is family 0. */
bool px_addr_parse(const char *text, struct px_addr *out);
char *px_addr_format(const struct px_addr *a,
                     char *out); /* "" for family 0; out: PX_ADDR_TEXT bytes */
bool px_addr_equal(const struct px_addr *a, const struct px_addr *b);
int px_addr_compare(const struct px_addr *a,
                    const struct px_addr *b); /* family first, then bytes */

/* To and from socket addresses; v4-mapped IPv6 becomes family 4. Returns the length, 0 for family
 * 0. */
socklen_t px_addr_to_sockaddr(const struct px_addr *a, uint16_t port, struct sockaddr_storage *out);
bool px_addr_from_sockaddr(const struct sockaddr *sa, struct px_addr *out, uint16_t *port);

/* The prefix of that length around a; len is clamped to 32 / 128. */
struct px_prefix px_prefix_of(const struct px_addr *a, unsigned len);
bool px_prefix_parse(const char *text,
                     struct px_prefix *out); /* "192.0.2.0/24"; a bare address = full length */
char *px_prefix_format(const struct px_prefix *p, char *out); /* out: PX_ADDR_TEXT + 4 bytes */
bool px_prefix_contains(const struct px_prefix *p, const struct px_addr *a);
bool px_prefix_equal(const struct px_prefix *a, const struct px_prefix *b);
bool px_addr_is_loopback(const struct px_addr *a);

#endif
