/* SPDX-License-Identifier: MIT */
/*
 * The first line of an SSH port, read passively. Sending first would falsify the result: a server
 * that closes without reading answers our bytes with RST and its refusal text is lost. MSG_PEEK
 * leaves the greeting for libssh; SO_RCVLOWAT keeps a level-triggered loop from spinning on half a
 * line.
 */
#include "probe-node/probes/ssh_banner.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/text.h"

/* What sshd says when it turns a connection away. */
static const char *const refusals[] = {
    "Exceeded MaxStartups",
    "Not allowed at this time",
};

/* First words of services that are not SSH; a line before an SSH greeting never looks like these.
 */
static const char *const strangers[] = {
    "220 ",  "220-",  "421 ",     "554 ",      "+OK",   "* OK",
    "HTTP/", "RFB 0", "@RSYNCD:", "<!DOCTYPE", "<html",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void ssh_banner_init(struct ssh_banner *b)
{
    memset(b, 0, sizeof(*b));
    b->code = PX_CODE_UNKNOWN;
}

static bool begins(const char *data, size_t len, const char *word)
{
    size_t n = strlen(word);
    return len >= n && memcmp(data, word, n) == 0;
}

static bool begins_any(const char *data, size_t len, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (begins(data, len, words[i]))
            return true;
    }
    return false;
}

static size_t without_end(const char *data, size_t len)
{
    while (len > 0 && (data[len - 1] == '\n' || data[len - 1] == '\r'))
        len--;
    return len;
}

/* Bytes that no line of text has are shown in hexadecimal: an alert of TLS is readable that way. */
static void keep_binary(struct ssh_banner *b, const char *data, size_t len)
{
    const unsigned char *bytes = (const unsigned char *)data;
    bool alert = len >= 2 && bytes[0] == 0x15 && bytes[1] == 0x03;
    size_t at = (size_t)snprintf(b->text, sizeof(b->text), "%s", alert ? "TLS alert" : "binary");

    for (size_t i = 0; i < len && i < 24; i++)
        at += (size_t)snprintf(b->text + at, sizeof(b->text) - at, " %02x", bytes[i]);
}

static void keep_text(struct ssh_banner *b, const char *data, size_t len)
{
    size_t at = strlen(b->text);
    size_t room;

    len = without_end(data, len);
    if (len == 0)
        return;
    if (at > 0 && at + 3 < sizeof(b->text)) {
        memcpy(b->text + at, " | ", 3);
        at += 3;
    }
    room = sizeof(b->text) - 1 - at;
    if (len > room)
        len = room;
    memcpy(b->text + at, data, len);
    b->text[at + len] = '\0';
}

static enum px_code decide(struct ssh_banner *b, enum px_code code)
{
    b->code = code;
    return code;
}

/* A complete line that begins with "SSH-": protocol 2 or not. */
static void judge_greeting(struct ssh_banner *b, const char *data, size_t len)
{
    size_t n = without_end(data, len);

    if (!begins(data, n, "SSH-2.") && !begins(data, n, "SSH-1.99-")) {
        keep_text(b, data, len);
        decide(b, PX_CODE_NOT_SSH);
        return;
    }
    if (n >= sizeof(b->line))
        n = sizeof(b->line) - 1;
    memcpy(b->line, data, n);
    b->line[n] = '\0';
    decide(b, PX_CODE_OK);
}

static void judge_stranger(struct ssh_banner *b, const char *data, size_t len)
{
    keep_text(b, data, len);
    b->lines++;
    b->bytes += len;
    if (!b->asked && begins_any(data, len, refusals, COUNT(refusals)))
        decide(b, PX_CODE_REFUSAL_TEXT);
    else if (b->asked || begins_any(data, len, strangers, COUNT(strangers)) ||
             b->lines >= SSH_BANNER_LINES_MAX || b->bytes >= SSH_BANNER_BYTES_MAX)
        decide(b, PX_CODE_NOT_SSH);
}

/* The tail of what is there, without a line end so far. */
static void judge_partial(struct ssh_banner *b, const char *data, size_t len)
{
    b->partial = len;
    if (len < SSH_BANNER_LINE_MAX)
        return;
    keep_text(b, data, len);
    decide(b, PX_CODE_NOT_SSH);
}

size_t ssh_banner_parse(struct ssh_banner *b, const char *data, size_t len)
{
    size_t done = 0;

    b->partial = 0;
    while (done < len && b->code == PX_CODE_UNKNOWN) {
        const char *line = data + done;
        const char *end = memchr(line, '\n', len - done);
        size_t n = end ? (size_t)(end - line) + 1 : len - done;

        if (memchr(line, '\0', n)) { /* no text protocol sends it, SSH forbids it */
            keep_binary(b, line, n);
            decide(b, PX_CODE_NOT_SSH);
        } else if (!end || n > SSH_BANNER_LINE_MAX) {
            judge_partial(b, line, n);
            break;
        } else if (begins(line, n, "SSH-")) {
            judge_greeting(b, line, n);
        } else {
            judge_stranger(b, line, n);
            done += n;
        }
    }
    return done;
}

/* Could these bytes still become an SSH greeting? */
static bool is_greeting_begun(const char *data, size_t len)
{
    return len > 0 && memcmp(data, "SSH-", len < 4 ? len : 4) == 0;
}

void ssh_banner_finish(struct ssh_banner *b, const char *data, size_t len, enum ssh_banner_end how)
{
    static const enum px_code unsaid[] = {
        [SSH_BANNER_CLOSED] = PX_CODE_CLOSED_EARLY,
        [SSH_BANNER_RESET] = PX_CODE_RESET_EARLY,
        [SSH_BANNER_LATE] = PX_CODE_SILENT,
    };
    bool begun = is_greeting_begun(data, len);

    if (b->code != PX_CODE_UNKNOWN)
        return;
    keep_text(b, data, len);
    if (begun || (b->lines == 0 && len == 0))
        decide(b, unsaid[how]);
    else if (how != SSH_BANNER_LATE && !b->asked)
        decide(b, PX_CODE_REFUSAL_TEXT);
    else
        decide(b, PX_CODE_NOT_SSH);
}

static void want_bytes(int fd, size_t n)
{
    int low = n > 0 ? (int)n : 1;
    /* Failure costs wake-ups, not correctness; the stage's deadline ends it anyway. */
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low));
}

/* A wake-up without a new byte: has the peer ended, and how? Asks without consuming what is in the
 * socket. */
static bool is_ended(int fd, enum ssh_banner_end *how)
{
    struct pollfd ask = {.fd = fd, .events = POLLRDHUP};

    if (poll(&ask, 1, 0) <= 0 || !(ask.revents & (POLLRDHUP | POLLHUP | POLLERR)))
        return false;
    *how = ask.revents & POLLERR ? SSH_BANNER_RESET : SSH_BANNER_CLOSED;
    return true;
}

static enum px_code judge_ended(struct ssh_banner *b, int fd, const char *data, size_t len)
{
    enum ssh_banner_end how;

    if (is_ended(fd, &how))
        ssh_banner_finish(b, data, len, how);
    return b->code;
}

enum px_code ssh_banner_read(struct ssh_banner *b, int fd)
{
    char data[2 * SSH_BANNER_LINE_MAX];
    ssize_t n = recv(fd, data, sizeof(data), MSG_PEEK | MSG_DONTWAIT);
    size_t used;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return b->code;
    if (n <= 0) {
        ssh_banner_finish(b, data, 0, n == 0 ? SSH_BANNER_CLOSED : SSH_BANNER_RESET);
        return b->code;
    }
    if ((size_t)n <= b->partial)
        return judge_ended(b, fd, data, (size_t)n);

    used = ssh_banner_parse(b, data, (size_t)n);
    if (used > 0 && recv(fd, data, used, MSG_DONTWAIT) != (ssize_t)used)
        b->partial =
            0; /* cannot happen to bytes just seen; a wake-up too many is all it would cost */
    want_bytes(fd, b->code == PX_CODE_UNKNOWN ? b->partial + 1 : 1);
    return b->code;
}

enum px_code ssh_banner_expire(struct ssh_banner *b, int fd)
{
    char data[2 * SSH_BANNER_LINE_MAX];
    ssize_t n;
    size_t used = 0;

    if (ssh_banner_read(b, fd) != PX_CODE_UNKNOWN)
        return b->code;
    want_bytes(fd, 1);
    n = recv(fd, data, sizeof(data), MSG_PEEK | MSG_DONTWAIT);
    if (n > 0)
        used = ssh_banner_parse(b, data, (size_t)n);
    ssh_banner_finish(b, data + used, n > 0 ? (size_t)n - used : 0, SSH_BANNER_LATE);
    return b->code;
}
