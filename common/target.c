/* SPDX-License-Identifier: MIT */
/*
 * Reading what the user asks about. Strict: whatever a resolver would read in a surprising way
 * (octal or short IPv4 forms, zones, user names, foreign letters) is refused with what to write
 * instead. Resolves nothing.
 */
#include "common/target.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/text.h"

#define SHOWN_MAX 80
#define LABEL_MAX 63
#define FORMS                                                                                      \
    "forms: host, host:port, ssh:// tcp:// tls:// http(s):// icmp://host; "                        \
    "IPv6 as [2001:db8::1]:22"

static const struct {
    const char *word;
    uint16_t port; /* 0 = has no default */
    bool path;
} schemes[] = {
    [PX_SCHEME_SSH] = {"ssh", 22, false},     [PX_SCHEME_TCP] = {"tcp", 0, false},
    [PX_SCHEME_TLS] = {"tls", 443, false},    [PX_SCHEME_HTTP] = {"http", 80, true},
    [PX_SCHEME_HTTPS] = {"https", 443, true}, [PX_SCHEME_ICMP] = {"icmp", 0, false},
};
_Static_assert(sizeof(schemes) / sizeof(schemes[0]) == PX_SCHEME_COUNT, "every scheme");

/* The text under parsing, cut into its parts; slices point into the caller's text. */
struct slice {
    const char *at;
    size_t n;
};
struct parts {
    const char *text;
    char shown[SHOWN_MAX * 4 + 4]; /* the text as it may be printed */
    bool has_scheme, has_port;
    struct slice scheme, host, port, path;
};

const char *px_scheme_name(enum px_scheme s)
{
    return (size_t)s < PX_SCHEME_COUNT ? schemes[s].word : "?";
}

uint16_t px_scheme_port(enum px_scheme s)
{
    return (size_t)s < PX_SCHEME_COUNT ? schemes[s].port : 0;
}

static bool slice_is(struct slice s, const char *word)
{
    return strlen(word) == s.n && strncasecmp(s.at, word, s.n) == 0;
}

static int scheme_find(struct slice s)
{
    for (int i = 0; i < PX_SCHEME_COUNT; i++) {
        if (slice_is(s, schemes[i].word))
            return i;
    }
    return -1;
}

static int fail(const struct parts *p, struct px_err *err, const char *why)
{
    px_err_set(err, "bad-target", "\"%s\" is not a target%s%s", p->shown, why[0] ? "; " : "", why);
    return px_err_hint(err, FORMS);
}

/* "ssh//host", "ssh:/host", "ssh:host": the scheme is there, its "://" is not. */
static bool slipped_scheme(const struct parts *p, char *meant, size_t size)
{
    size_t word = strcspn(p->text, ":/");
    const char *rest = p->text + word + strspn(p->text + word, ":/");
    struct slice scheme = {p->text, word};
    int found = scheme_find(scheme);
    bool port_like = strspn(rest, "0123456789") == strlen(rest);
    if (found < 0 || rest == p->text + word || port_like)
        return false;
    char shown[SHOWN_MAX * 4 + 4];
    snprintf(meant, size, "did you mean \"%s://%s\"?", schemes[found].word,
             px_text_safe(rest, SHOWN_MAX, shown, sizeof(shown)));
    return true;
}

static int fail_scheme(const struct parts *p, struct px_err *err)
{
    const char *words[PX_SCHEME_COUNT];
    char word[32], shown[sizeof(word) * 4];
    for (int i = 0; i < PX_SCHEME_COUNT; i++)
        words[i] = schemes[i].word;
    snprintf(word, sizeof(word), "%.*s", (int)(p->scheme.n < 31 ? p->scheme.n : 31), p->scheme.at);
    const char *near = px_text_suggest(word, words, PX_SCHEME_COUNT);
    px_err_set(err, "bad-target", "\"%s\": no scheme \"%s\"%s%s%s", p->shown,
               px_text_safe(word, SHOWN_MAX, shown, sizeof(shown)), near ? "; did you mean \"" : "",
               near ? near : "", near ? "\"?" : "");
    return px_err_hint(err, "known: ssh, tcp, tls, http, https, icmp");
}

/* Split into scheme, host, port and path; which of them make sense is decided later. */
static int parts_split(struct parts *p, struct px_err *err)
{
    const char *mark = strstr(p->text, "://");
    const char *host = p->text;
    char meant[SHOWN_MAX * 4 + 64];
    if (mark != NULL && (size_t)(mark - p->text) == strcspn(p->text, ":/?#[")) {
        p->has_scheme = true;
        p->scheme = (struct slice){p->text, (size_t)(mark - p->text)};
        host = mark + 3;
    } else if (slipped_scheme(p, meant, sizeof(meant))) {
        return fail(p, err, meant);
    }
    size_t authority = strcspn(host, "/?#");
    const char *path = host + authority;
    p->path = (struct slice){path, strlen(path)};
    if (memchr(host, '@', authority) != NULL)
        return fail(p, err, "a user name is not part of it (give it with --user)");

    p->host = (struct slice){host, authority};
    const char *colon = memchr(host, ':', authority);
    if (host[0] == '[') {
        const char *end = memchr(host, ']', authority);
        if (end == NULL || (end + 1 != path && end[1] != ':'))
            return fail(p, err, "");
        p->host = (struct slice){host + 1, (size_t)(end - host - 1)};
        colon = end + 1 == path ? NULL : end + 1;
    } else if (colon != NULL && memchr(colon + 1, ':', (size_t)(path - colon - 1)) != NULL) {
        return 0; /* two colons and no brackets: an IPv6 address or nothing */
    } else if (colon != NULL) {
        p->host.n = (size_t)(colon - host);
    }
    if (colon != NULL) {
        p->has_port = true;
        p->port = (struct slice){colon + 1, (size_t)(path - colon - 1)};
    }
    return 0;
}

static int port_parse(const struct parts *p, struct px_target *out, struct px_err *err)
{
    unsigned value = 0;
    out->port = schemes[out->scheme].port;
    if (!p->has_port && (out->port != 0 || out->scheme == PX_SCHEME_ICMP))
        return 0;
    if (!p->has_port) {
        px_err_set(err, "bad-port", "\"%s\" needs a port", p->shown);
        return px_err_hint(err, "write tcp://HOST:PORT, e.g. tcp://%s:443",
                           strchr(out->host, ':') ? "[2001:db8::1]" : out->host);
    }
    if (out->scheme == PX_SCHEME_ICMP)
        return px_err_set(err, "bad-port", "\"%s\": icmp has no ports", p->shown);
    if (p->port.n == 0)
        return px_err_set(err, "bad-port", "\"%s\": the port is missing after \":\"", p->shown);

    char text[24], shown[sizeof(text) * 4];
    int length = (int)(p->port.n < sizeof(text) ? p->port.n : sizeof(text) - 1);
    snprintf(text, sizeof(text), "%.*s", length, p->port.at);
    px_text_safe(text, SHOWN_MAX, shown, sizeof(shown));
    if (strspn(text, "0123456789") != strlen(text)) {
        px_err_set(err, "bad-port", "port \"%s\" is not a number between 1 and 65535", shown);
        return px_err_hint(err, FORMS);
    }
    for (size_t i = 0; i < p->port.n && value <= UINT16_MAX; i++)
        value = value * 10 + (unsigned)(p->port.at[i] - '0');
    if (value < 1 || value > UINT16_MAX || p->port.n >= sizeof(text))
        return px_err_set(err, "bad-port", "port %s is not between 1 and 65535", shown);
    out->port = (uint16_t)value;
    return 0;
}

/* Why the label [at, at+n) cannot stand in a host name; NULL if it can. */
static const char *label_fault(const char *at, size_t n)
{
    if (n == 0)
        return "two dots in a row, or a dot in front";
    if (n > LABEL_MAX)
        return "a part between dots has more than 63 characters";
    if (at[0] == '-' || at[n - 1] == '-')
        return "a part between dots may not begin or end with \"-\"";
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)at[i] >= 0x80)
            return "letters outside of a-z: write the xn-- form of the name";
        if (!isalnum((unsigned char)at[i]) && at[i] != '-' && at[i] != '_')
            return "a host name holds only a-z, 0-9, \"-\", \"_\" and dots";
    }
    return NULL;
}

/* "10", "1.2.3", "0x7f.1", "010.0.0.1": resolvers read these as IPv4 in their own ways. */
static bool looks_numeric(const char *label)
{
    if (label[0] == '0' && label[1] == 'x')
        return strspn(label + 2, "0123456789abcdef") == strlen(label + 2);
    return label[0] != '\0' && strspn(label, "0123456789") == strlen(label);
}

static const char *name_fault(const char *host)
{
    const char *at = host;
    const char *last = host;
    while (*at != '\0') {
        size_t n = strcspn(at, ".");
        const char *fault = label_fault(at, n);
        if (fault != NULL)
            return fault;
        last = at;
        at += n;
        if (*at == '.')
            at++;
    }
    char label[LABEL_MAX + 1];
    snprintf(label, sizeof(label), "%.*s", (int)strcspn(last, "."), last);
    return looks_numeric(label) ? "an IPv4 address has four numbers of 0 to 255, as 192.0.2.7"
                                : NULL;
}

static int host_parse(const struct parts *p, struct px_target *out, struct px_err *err)
{
    bool bracketed = p->host.at > p->text && p->host.at[-1] == '[';
    if (p->host.n == 0)
        return fail(p, err, "the host is missing");
    if (p->host.n > PX_HOST_MAX)
        return fail(p, err, "a host name has at most 253 characters");
    for (size_t i = 0; i < p->host.n; i++)
        out->host[i] = (char)tolower((unsigned char)p->host.at[i]);
    out->host[p->host.n] = '\0';

    if (px_addr_parse(out->host, &out->literal)) {
        if (bracketed && strchr(out->host, ':') == NULL)
            return fail(p, err, "only IPv6 addresses stand in brackets");
        px_addr_format(&out->literal, out->host);
        return 0;
    }
    if (strchr(out->host, '%') != NULL && strchr(out->host, ':') != NULL)
        return fail(p, err, "an address with a zone (%) means another host at every vantage");
    if (bracketed || strchr(out->host, ':') != NULL)
        return fail(p, err, "that is not an IPv6 address");
    const char *fault = name_fault(out->host);
    return fault == NULL ? 0 : fail(p, err, fault);
}

static int path_parse(const struct parts *p, struct px_target *out, struct px_err *err)
{
    if (!schemes[out->scheme].path) {
        if (p->path.n == 0 || slice_is(p->path, "/"))
            return 0;
        return fail(p, err, "only http:// and https:// have a path");
    }
    bool slash = p->path.n > 0 && p->path.at[0] == '/';
    if (p->path.n + (slash ? 0 : 1) > PX_PATH_MAX)
        return fail(p, err, "a path has at most 512 characters");
    for (size_t i = 0; i < p->path.n; i++) {
        unsigned char c = (unsigned char)p->path.at[i];
        if (c == '#')
            return fail(p, err, "a fragment (#) is never sent; leave it out");
        if (c <= 0x20 || c >= 0x7f || strchr("\"<>\\^`{|}", c) != NULL)
            return fail(p, err, "write that character of the path as %XX");
    }
    snprintf(out->path, sizeof(out->path), "%s%.*s", slash ? "" : "/", (int)p->path.n, p->path.at);
    return 0;
}

static void url_format(struct px_target *t)
{
    bool v6 = t->literal.family == 6;
    char port[8] = "";
    if (t->port != 0)
        snprintf(port, sizeof(port), ":%u", t->port);
    snprintf(t->url, sizeof(t->url), "%s://%s%s%s%s%s", schemes[t->scheme].word, v6 ? "[" : "",
             t->host, v6 ? "]" : "", port, t->path);
}

int px_target_parse(const char *text, struct px_target *out, struct px_err *err)
{
    struct parts p = {.text = text == NULL ? "" : text};
    struct px_target made = {.scheme = PX_SCHEME_SSH};

    memset(out, 0, sizeof(*out));
    px_text_safe(p.text, SHOWN_MAX, p.shown, sizeof(p.shown));
    if (parts_split(&p, err) != 0)
        return -1;
    if (p.has_scheme) {
        int scheme = scheme_find(p.scheme);
        if (scheme < 0)
            return fail_scheme(&p, err);
        made.scheme = (enum px_scheme)scheme;
    }
    if (host_parse(&p, &made, err) != 0 || port_parse(&p, &made, err) != 0 ||
        path_parse(&p, &made, err) != 0)
        return -1;
    url_format(&made);
    *out = made;
    return 0;
}
