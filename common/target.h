/* SPDX-License-Identifier: MIT */
/* What is asked about: scheme, host, port, path. */
#ifndef PX_COMMON_TARGET_H
#define PX_COMMON_TARGET_H

#include <stdint.h>

#include "common/addr.h"
#include "common/err.h"

enum px_scheme {
    PX_SCHEME_SSH,
    PX_SCHEME_TCP,
    PX_SCHEME_TLS,
    PX_SCHEME_HTTP,
    PX_SCHEME_HTTPS,
    PX_SCHEME_ICMP,
    PX_SCHEME_COUNT
};

#define PX_HOST_MAX 253
#define PX_PATH_MAX 512
#define PX_TARGET_URL (PX_HOST_MAX + PX_PATH_MAX + 32)

struct px_target {
    enum px_scheme scheme;
    char host[PX_HOST_MAX + 1]; /* name or numeric address, lower case, no brackets */
    struct px_addr literal;     /* family != 0 if host is a numeric address */
    uint16_t port;              /* 0 only for icmp */
    char path[PX_PATH_MAX + 1]; /* "" unless http(s) */
    char url[PX_TARGET_URL];    /* canonical form, "ssh://bastion.example.net:22" */
};

/* host | host:port | [v6]:port | v6 | scheme://host[:port][/path]. No scheme means ssh.
 * 0, or -1 and err (code "bad-target" or "bad-port") with the accepted forms as hint. */
int px_target_parse(const char *text, struct px_target *out, struct px_err *err);
const char *px_scheme_name(enum px_scheme s);
uint16_t px_scheme_port(enum px_scheme s); /* default port; 0: icmp has none, tcp needs one */

#endif
