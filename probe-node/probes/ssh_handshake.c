/* SPDX-License-Identifier: MIT */
/*
 * libssh, tamed: no configuration files, no name look-ups, no known_hosts, fixed algorithm order,
 * never blocking, descriptors accounted for. It has no timers of its own; the caller has.
 */
#include "probe-node/probes/ssh_handshake.h"

#include <fcntl.h>
#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/text.h"
#include "probe-node/probes/ssh_offer.h"

struct ssh_handshake {
    ssh_session session;
    int fd;         /* the caller's */
    int lent;       /* duplicate given to libssh, which may close it at any time */
    float progress; /* libssh's own measure, see progress_names */
    bool flooded;
    char error[1024];   /* why it failed, as long as libssh can say it */
    char farewell[128]; /* what the server said when it disconnected */
    struct ssh_counter_struct received;
    struct ssh_callbacks_struct callbacks;
};

/* libssh reports its progress as a share; the names of what has been done. */
static const struct {
    float share;
    const char *name;
} progress_names[] = {
    {1.0F, "after the keys were agreed"},
    {0.8F, "after the algorithms were chosen"},
    {0.6F, "after the server's algorithm list"},
    {0.5F, "after both greetings and our algorithm list"},
    {0.4F, "after both greetings"},
    {0.0F, "after our greeting"},
};

static void warm_up(void)
{
    ssh_key key = NULL;

    (void)ssh_init();
    /* OpenSSL reads its configuration and gathers entropy at the first use of a key. */
    if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key) == SSH_OK)
        ssh_key_free(key);
}

void ssh_handshake_warm_up(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, warm_up);
}

static void on_progress(void *arg, float share)
{
    struct ssh_handshake *h = arg;

    h->progress = share;
}

/* Without all of these libssh reads files and asks name services, or differs between vantages. */
static bool set_options(ssh_session session, int fd)
{
    static const struct {
        enum ssh_options_e option;
        const char *value;
    } texts[] = {
        {SSH_OPTIONS_SSH_DIR, "/dev/null"},
        {SSH_OPTIONS_USER, "parallax"}, /* never sent */
        {SSH_OPTIONS_KNOWNHOSTS, "/dev/null"},
        {SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null"},
        {SSH_OPTIONS_KEY_EXCHANGE, ssh_offer_kex},
        {SSH_OPTIONS_HOSTKEYS, ssh_offer_hostkeys},
        {SSH_OPTIONS_CIPHERS_C_S, ssh_offer_ciphers},
        {SSH_OPTIONS_CIPHERS_S_C, ssh_offer_ciphers},
        {SSH_OPTIONS_HMAC_C_S, ssh_offer_macs},
        {SSH_OPTIONS_HMAC_S_C, ssh_offer_macs},
    };
    bool no = false;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (ssh_options_set(session, texts[i].option, texts[i].value) != SSH_OK)
            return false;
    }
    return ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &no) == SSH_OK &&
           ssh_options_set(session, SSH_OPTIONS_FD, &fd) == SSH_OK;
}

struct ssh_handshake *ssh_handshake_open(int fd)
{
    struct ssh_handshake *h = px_xcalloc(1, sizeof(*h));

    ssh_handshake_warm_up();
    h->fd = fd;
    h->lent = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    h->session = h->lent >= 0 ? ssh_new() : NULL;
    if (!h->session || !set_options(h->session, h->lent)) {
        ssh_handshake_close(h);
        return NULL;
    }
    h->callbacks.userdata = h;
    h->callbacks.connect_status_function = on_progress;
    ssh_callbacks_init(&h->callbacks);
    (void)ssh_set_callbacks(h->session, &h->callbacks);
    ssh_set_counters(h->session, &h->received, NULL);
    ssh_set_blocking(h->session, 0);
    return h;
}

/* libssh forgets the server's SSH_MSG_DISCONNECT as the error as soon as it next touches the
 * socket, and shows it otherwise only once its own side is closed too. */
static enum ssh_handshake_progress keep_failure(struct ssh_handshake *h)
{
    const char *farewell;

    (void)px_text_copy(h->error, sizeof(h->error), ssh_get_error(h->session));
    if (ssh_get_fd(h->session) != -1)
        return SSH_HANDSHAKE_FAILED;
    ssh_disconnect(h->session); /* sends nothing: there is no socket any more */
    farewell = ssh_get_disconnect_message(h->session);
    (void)px_text_copy(h->farewell, sizeof(h->farewell), farewell ? farewell : "");
    return SSH_HANDSHAKE_FAILED;
}

enum ssh_handshake_progress ssh_handshake_step(struct ssh_handshake *h)
{
    int rc = ssh_connect(h->session);

    /* libssh makes the socket blocking at its first write; a peer that never reads could then
     * stop the whole loop. */
    (void)fcntl(h->fd, F_SETFL, O_NONBLOCK);
    if (rc == SSH_OK)
        return SSH_HANDSHAKE_AGREED;
    if (h->received.in_bytes > SSH_HANDSHAKE_BYTES_MAX) {
        h->flooded = true;
        return SSH_HANDSHAKE_FAILED;
    }
    /* After a DISCONNECT from the server it says AGAIN for ever, with its descriptor gone. */
    if (rc == SSH_AGAIN && ssh_get_fd(h->session) != -1)
        return SSH_HANDSHAKE_WAIT;
    return keep_failure(h);
}

unsigned ssh_handshake_interest(const struct ssh_handshake *h)
{
    int flags = ssh_get_poll_flags(h->session);

    return (flags & SSH_READ_PENDING ? SSH_HANDSHAKE_READ : 0U) |
           (flags & SSH_WRITE_PENDING ? SSH_HANDSHAKE_WRITE : 0U);
}

static void copy_fingerprint(ssh_key key, char *out, size_t size)
{
    unsigned char *hash = NULL;
    size_t len = 0;
    char *text;

    if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &len) != SSH_OK)
        return;
    text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, len);
    if (text)
        (void)px_text_copy(out, size, text);
    ssh_string_free_char(text);
    ssh_clean_pubkey_hash(&hash);
}

void ssh_handshake_result(const struct ssh_handshake *h, struct px_observation *obs)
{
    const char *kex = ssh_get_kex_algo(h->session); /* NULL for some old methods */
    ssh_key key = NULL;

    (void)px_text_copy(obs->kex, sizeof(obs->kex), kex ? kex : "");
    if (ssh_get_server_publickey(h->session, &key) != SSH_OK)
        return;
    (void)px_text_copy(obs->hostkey_type, sizeof(obs->hostkey_type),
                       ssh_key_type_to_char(ssh_key_type(key)));
    copy_fingerprint(key, obs->hostkey, sizeof(obs->hostkey));
    ssh_key_free(key);
}

const char *ssh_handshake_progress_name(const struct ssh_handshake *h)
{
    size_t i = 0;

    while (h->progress < progress_names[i].share)
        i++;
    return progress_names[i].name;
}

enum px_code ssh_handshake_explain(const struct ssh_handshake *h, char *text, size_t size)
{
    if (h->flooded) {
        (void)snprintf(text, size, "%zu bytes received and no keys agreed",
                       (size_t)h->received.in_bytes);
        return PX_CODE_KEX_TIMEOUT;
    }
    enum px_code code = ssh_offer_explain(h->error, text, size);
    if (code != PX_CODE_UNKNOWN)
        return code;
    if (h->farewell[0])
        (void)snprintf(text, size, "disconnected by the server: %s", h->farewell);
    else
        (void)snprintf(text, size, "%s, %s", h->error[0] ? h->error : "closed by the server",
                       ssh_handshake_progress_name(h));
    return PX_CODE_KEX_RESET;
}

bool ssh_handshake_send_large(struct ssh_handshake *h)
{
    char payload[SSH_HANDSHAKE_LARGE + 1];

    memset(payload, 'x', SSH_HANDSHAKE_LARGE);
    payload[SSH_HANDSHAKE_LARGE] = '\0';
    ssh_set_fd_towrite(h->session);
    return ssh_send_ignore(h->session, payload) == SSH_OK && ssh_get_fd(h->session) != -1;
}

bool ssh_handshake_flushed(const struct ssh_handshake *h)
{
    return (ssh_get_status(h->session) & SSH_WRITE_PENDING) == 0;
}

/* Closing a socket with unread bytes sends RST, which may overtake our last words. */
static void drain(int fd)
{
    char sink[4096];

    for (int i = 0; i < 16; i++) {
        if (recv(fd, sink, sizeof(sink), MSG_DONTWAIT) <= 0)
            return;
    }
}

void ssh_handshake_leave(struct ssh_handshake *h)
{
    drain(h->fd);
    ssh_set_fd_towrite(h->session); /* otherwise the message is queued and forgotten */
    ssh_disconnect(h->session);
}

/* libssh closes its duplicate on some paths and leaves it on others. The number may meanwhile
 * belong to another thread's file, but no other file is the same socket as ours. */
static bool is_same_socket(int a, int b)
{
    struct stat sa, sb;

    return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && S_ISSOCK(sb.st_mode) &&
           sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

void ssh_handshake_close(struct ssh_handshake *h)
{
    if (!h)
        return;
    if (h->session)
        ssh_free(h->session);
    if (h->lent >= 0 && is_same_socket(h->fd, h->lent))
        (void)close(h->lent);
    free(h);
}
