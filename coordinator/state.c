/* SPDX-License-Identifier: MIT */
/* The coordinator's folder. Knows names and modes of files, not what the store holds. */
#include "coordinator/state.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/text.h"

#define SETTING_LISTEN "listen"
#define SETTING_BOUND "bound"

int state_init_paths(struct state *s, const char *folder, struct px_err *err)
{
    memset(s, 0, sizeof *s);
    if (folder[0] == '\0' || px_text_copy(s->folder, sizeof s->folder, folder) != 0)
        return px_err_set(err, "bad-path", "a state folder has 1 to %d characters",
                          STATE_PATH_MAX - 1);
    (void)snprintf(s->key_path, sizeof s->key_path, "%s/coordinator.key", folder);
    (void)snprintf(s->store_path, sizeof s->store_path, "%s/coordinator.db", folder);
    (void)snprintf(s->lock_path, sizeof s->lock_path, "%s/coordinator.lock", folder);
    return 0;
}

/* ---- making ---- */

static int folder_create(const struct state *s, bool *made, struct px_err *err)
{
    struct stat st;
    *made = mkdir(s->folder, 0700) == 0;
    if (*made)
        return 0;
    if (errno != EEXIST) {
        px_err_set(err, "bad-path", "cannot make the state folder %s: %s", s->folder,
                   strerror(errno));
        return px_err_hint(err, "make its parent first, or choose another with --state");
    }
    if (stat(s->folder, &st) == 0 && S_ISDIR(st.st_mode))
        return 0;
    return px_err_set(err, "bad-path", "%s is not a folder", s->folder);
}

static int listen_remember(const struct state *s, const char *listen, struct state_made *made,
                           struct px_err *err)
{
    struct store *store = store_open(s->store_path, true, err);
    if (!store)
        return -1;
    int failed = state_find_listen(store, made->listen, err);
    if (!failed && listen && strcmp(listen, made->listen) != 0) {
        px_text_copy(made->listen, sizeof made->listen, listen);
        failed = store_put_setting(store, SETTING_LISTEN, listen, err) != 0 ||
                 state_put_bound(store, listen, err) != 0;
    }
    store_close(store);
    return failed ? -1 : 0;
}

int state_create(const struct state *s, const char *listen, struct state_made *made,
                 struct px_err *err)
{
    struct key_pair keys;
    struct px_addr addr;
    uint16_t port;
    memset(made, 0, sizeof *made);
    if (listen && state_parse_endpoint(listen, &addr, &port, err) != 0)
        return -1;
    if (folder_create(s, &made->folder, err) != 0)
        return -1;
    made->keys = access(s->key_path, F_OK) != 0;
    made->store = access(s->store_path, F_OK) != 0;
    if (key_load_or_create(s->key_path, &keys, err) != 0)
        return -1;
    key_fingerprint(keys.public_key, made->fingerprint);
    key_clear(&keys);
    return listen_remember(s, listen, made, err);
}

int state_load_keys(const struct state *s, struct key_pair *keys, struct px_err *err)
{
    if (access(s->key_path, F_OK) == 0)
        return key_load(s->key_path, keys, err);
    px_err_set(err, "no-keys", "there is no key %s", s->key_path);
    return px_err_hint(err, "parallax-coordinator init --state %s", s->folder);
}

int state_open_lock(const struct state *s, struct px_err *err)
{
    int fd = open(s->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return px_err_set(err, "bad-path", "%s: %s", s->lock_path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    close(fd);
    return px_err_set(err, "state-in-use", "another coordinator runs with the state in %s",
                      s->folder);
}

/* ---- endpoints ---- */

/* The port after the last colon of text; *host_length is what stands before it. */
static int port_split(const char *text, size_t *host_length, uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    char *end = NULL;
    if (!colon || colon == text || colon[1] < '0' || colon[1] > '9')
        return -1;
    unsigned long n = strtoul(colon + 1, &end, 10);
    if (*end || n > 65535)
        return -1;
    *host_length = (size_t)(colon - text);
    *port = (uint16_t)n;
    return 0;
}

/* Without brackets; a bare IPv6 address in front of a port is refused as ambiguous. */
static int host_copy(const char *text, size_t length, char *out, size_t size)
{
    bool bracketed = length > 2 && text[0] == '[' && text[length - 1] == ']';
    if (!bracketed && memchr(text, ':', length))
        return -1;
    if (bracketed) {
        text++;
        length -= 2;
    }
    if (length >= size)
        return -1;
    memcpy(out, text, length);
    out[length] = '\0';
    return 0;
}

int state_parse_endpoint(const char *text, struct px_addr *addr, uint16_t *port, struct px_err *err)
{
    static const char scheme[] = "tcp://";
    char host[PX_ADDR_TEXT], safe[256];
    size_t length = 0;
    const char *rest = text + strlen(scheme);
    if (strncmp(text, scheme, strlen(scheme)) == 0 && port_split(rest, &length, port) == 0 &&
        host_copy(rest, length, host, sizeof host) == 0 && px_addr_parse(host, addr))
        return 0;
    px_err_set(err, "bad-endpoint", "\"%s\" is not an endpoint to listen on",
               px_text_safe(text, 80, safe, sizeof safe));
    return px_err_hint(err,
                       "write tcp://ADDRESS:PORT with a numeric address, such as %s or "
                       "tcp://[::]:7331",
                       STATE_LISTEN_DEFAULT);
}

int state_parse_address(const char *text, char *host, uint16_t *port, struct px_err *err)
{
    char safe[256];
    size_t length = 0;
    if (port_split(text, &length, port) == 0 && *port != 0 &&
        host_copy(text, length, host, 256) == 0 && host[0])
        return 0;
    px_err_set(err, "bad-address", "\"%s\" is not an address of a coordinator",
               px_text_safe(text, 80, safe, sizeof safe));
    return px_err_hint(err, "write HOST:PORT, IPv6 as [::1]:7331");
}

int state_put_bound(struct store *store, const char *endpoint, struct px_err *err)
{
    return store_put_setting(store, SETTING_BOUND, endpoint, err);
}

int state_find_listen(struct store *store, char out[STATE_ENDPOINT_TEXT], struct px_err *err)
{
    char value[STORE_SETTING_MAX];
    int found = store_find_setting(store, SETTING_LISTEN, value, err);
    if (found < 0)
        return -1;
    px_text_copy(out, STATE_ENDPOINT_TEXT, found ? value : STATE_LISTEN_DEFAULT);
    return 0;
}

/* ---- this machine's address ---- */

/* Name of the interface of the IPv4 default route, "" if there is none. */
static void default_interface(char out[IF_NAMESIZE])
{
    char line[256], name[IF_NAMESIZE];
    unsigned long destination;
    FILE *f = fopen("/proc/net/route", "re");
    out[0] = '\0';
    if (!f)
        return;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "%15s %lx", name, &destination) == 2 && destination == 0) /* NOLINT */
            memcpy(out, name, IF_NAMESIZE);
    (void)fclose(f);
}

/* How good an interface's address is for others to dial: 0 = not at all. */
static int address_rank(const struct ifaddrs *i, const char *default_name, struct px_addr *addr)
{
    if (!i->ifa_addr || !(i->ifa_flags & IFF_UP) || (i->ifa_flags & IFF_LOOPBACK) ||
        !px_addr_from_sockaddr(i->ifa_addr, addr, NULL))
        return 0;
    if (addr->family == 6 && (addr->bytes[0] == 0xfe && (addr->bytes[1] & 0xc0) == 0x80))
        return 0; /* link-local */
    return (addr->family == 4 ? 2 : 1) + (strcmp(i->ifa_name, default_name) == 0 ? 4 : 0);
}

static bool primary_address(struct px_addr *out)
{
    char default_name[IF_NAMESIZE];
    struct ifaddrs *all = NULL;
    int best = 0;
    default_interface(default_name);
    if (getifaddrs(&all) != 0)
        return false;
    for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
        struct px_addr addr;
        int rank = address_rank(i, default_name, &addr);
        if (rank > best) {
            best = rank;
            *out = addr;
        }
    }
    freeifaddrs(all);
    return best > 0;
}

static bool address_is_any(const struct px_addr *a)
{
    static const struct px_addr zero;
    return memcmp(a->bytes, zero.bytes, sizeof a->bytes) == 0;
}

int state_find_address(struct store *store, char *host, uint16_t *port, struct px_err *err)
{
    char endpoint[STORE_SETTING_MAX];
    struct px_addr addr;
    int found = store_find_setting(store, SETTING_BOUND, endpoint, err);
    if (found < 0 || (!found && state_find_listen(store, endpoint, err) != 0) ||
        state_parse_endpoint(endpoint, &addr, port, err) != 0)
        return -1;
    if (*port == 0) {
        px_err_set(err, "no-address", "the coordinator has not run yet, so its port is not known");
        return px_err_hint(err, "start it first, or say --address HOST:PORT");
    }
    if (address_is_any(&addr) && !primary_address(&addr)) {
        px_err_set(err, "no-address", "this machine has no address that others could dial");
        return px_err_hint(err, "say how nodes reach it:  --address HOST:%u", (unsigned)*port);
    }
    px_addr_format(&addr, host);
    return 0;
}
