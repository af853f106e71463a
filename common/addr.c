/* SPDX-License-Identifier: MIT */
/* Addresses and prefixes: text, socket addresses, comparison. Never resolves a name. */
#include "common/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define V4_BITS 32u
#define V6_BITS 128u
#define MAPPED_BITS 96u

static const uint8_t mapped_head[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static size_t addr_size(const struct px_addr *a)
{
    return a->family == 4 ? 4 : a->family == 6 ? 16 : 0;
}

static void addr_set_v4(struct px_addr *out, const void *bytes)
{
    memset(out, 0, sizeof(*out));
    out->family = 4;
    memcpy(out->bytes, bytes, 4);
}

/* v4-mapped IPv6 is the same host as its IPv4 address and is kept as that. */
static void addr_set_v6(struct px_addr *out, const uint8_t *bytes)
{
    if (memcmp(bytes, mapped_head, sizeof(mapped_head)) == 0) {
        addr_set_v4(out, bytes + sizeof(mapped_head));
        return;
    }
    memset(out, 0, sizeof(*out));
    out->family = 6;
    memcpy(out->bytes, bytes, 16);
}

bool px_addr_parse(const char *text, struct px_addr *out)
{
    uint8_t bytes[16];
    memset(out, 0, sizeof(*out));
    if (text == NULL)
        return false;
    if (inet_pton(AF_INET, text, bytes) == 1)
        addr_set_v4(out, bytes);
    else if (inet_pton(AF_INET6, text, bytes) == 1)
        addr_set_v6(out, bytes);
    return out->family != 0;
}

char *px_addr_format(const struct px_addr *a, char *out)
{
    out[0] = '\0';
    if (addr_size(a) != 0)
        inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->bytes, out, PX_ADDR_TEXT);
    return out;
}

bool px_addr_equal(const struct px_addr *a, const struct px_addr *b)
{
    return px_addr_compare(a, b) == 0;
}

int px_addr_compare(const struct px_addr *a, const struct px_addr *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    return memcmp(a->bytes, b->bytes, addr_size(a));
}

socklen_t px_addr_to_sockaddr(const struct px_addr *a, uint16_t port, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    if (a->family == 4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
        memcpy(&in.sin_addr, a->bytes, 4);
        memcpy(out, &in, sizeof(in));
        return sizeof(in);
    }
    if (a->family == 6) {
        struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
        memcpy(&in.sin6_addr, a->bytes, 16);
        memcpy(out, &in, sizeof(in));
        return sizeof(in);
    }
    return 0;
}

bool px_addr_from_sockaddr(const struct sockaddr *sa, struct px_addr *out, uint16_t *port)
{
    uint16_t net_port = 0;
    memset(out, 0, sizeof(*out));
    if (sa != NULL && sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof(in));
        addr_set_v4(out, &in.sin_addr);
        net_port = in.sin_port;
    } else if (sa != NULL && sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, sa, sizeof(in));
        addr_set_v6(out, in.sin6_addr.s6_addr);
        net_port = in.sin6_port;
    }
    if (port != NULL)
        *port = ntohs(net_port);
    return out->family != 0;
}

struct px_prefix px_prefix_of(const struct px_addr *a, unsigned len)
{
    unsigned bits = (unsigned)addr_size(a) * 8;
    struct px_prefix p = {.addr = *a, .len = (uint8_t)(len < bits ? len : bits)};
    for (unsigned i = 0; i < sizeof(p.addr.bytes); i++) {
        unsigned kept = p.len > i * 8 ? p.len - i * 8 : 0;
        if (kept < 8)
            p.addr.bytes[i] &= (uint8_t)(0xff00u >> kept);
    }
    return p;
}

/* 0..128 in plain digits; -1 otherwise. */
static int length_parse(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 3 || text[digits] != '\0' || (text[0] == '0' && digits > 1))
        return -1;
    return (int)strtol(text, NULL, 10);
}

bool px_prefix_parse(const char *text, struct px_prefix *out)
{
    char host[PX_ADDR_TEXT];
    struct px_addr a;
    memset(out, 0, sizeof(*out));
    const char *slash = text == NULL ? NULL : strchr(text, '/');
    if (slash == NULL) {
        if (!px_addr_parse(text, &a))
            return false;
        *out = px_prefix_of(&a, V6_BITS);
        return true;
    }
    if ((size_t)(slash - text) >= sizeof(host))
        return false;
    memcpy(host, text, (size_t)(slash - text));
    host[slash - text] = '\0';
    int len = length_parse(slash + 1);
    if (len < 0 || !px_addr_parse(host, &a))
        return false;
    if (a.family == 4 && strchr(host, ':') != NULL) {
        if (len < (int)MAPPED_BITS)
            return false;
        len -= (int)MAPPED_BITS;
    }
    if (len > (int)(a.family == 4 ? V4_BITS : V6_BITS))
        return false;
    *out = px_prefix_of(&a, (unsigned)len);
    return true;
}

char *px_prefix_format(const struct px_prefix *p, char *out)
{
    px_addr_format(&p->addr, out);
    if (out[0] != '\0')
        snprintf(out + strlen(out), 5, "/%u", p->len);
    return out;
}

bool px_prefix_contains(const struct px_prefix *p, const struct px_addr *a)
{
    if (p->addr.family == 0 || p->addr.family != a->family)
        return false;
    struct px_prefix around = px_prefix_of(a, p->len);
    return px_addr_equal(&around.addr, &p->addr);
}

bool px_prefix_equal(const struct px_prefix *a, const struct px_prefix *b)
{
    return a->len == b->len && px_addr_equal(&a->addr, &b->addr);
}

bool px_addr_is_loopback(const struct px_addr *a)
{
    static const uint8_t one[16] = {[15] = 1};
    if (a->family == 4)
        return a->bytes[0] == 127;
    return a->family == 6 && memcmp(a->bytes, one, sizeof(one)) == 0;
}
