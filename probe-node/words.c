/* SPDX-License-Identifier: MIT */
/* The words of every end of a session, and of a join. Decides nothing. */
#include "probe-node/words.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "probe-node/prober.h"
#include "proto/limits.h"

bool words_need_people(enum link_end why)
{
    return why == LINK_NOT_PARALLAX || why == LINK_WRONG_KEY || why == LINK_NOT_AUTHORISED;
}

static void words_for_key(const char *at, bool joined, const uint8_t public_key[KEY_BYTES],
                          enum link_end why, struct px_err *err)
{
    char fingerprint[KEY_FINGERPRINT_TEXT];
    if (why == LINK_WRONG_KEY) {
        px_err_set(err, "wrong-server-key", "%s holds another key than %s", at,
                   joined ? "the one this node has joined" : "the token says");
        px_err_hint(err,
                    "if it was reinstalled, join with a new token and a new --state directory\n"
                    "if not, somebody else answers on that address. Nothing was sent.");
        return;
    }
    px_err_set(err, "not-authorised",
               "the coordinator %s does not let in this key (fingerprint %s)", at,
               key_fingerprint(public_key, fingerprint));
    px_err_hint(err, "it was revoked there, or too many strangers are knocking");
}

void words_for_end(enum link_end why, const char *detail, const struct membership *mesh,
                   bool joined, const uint8_t public_key[KEY_BYTES], struct px_err *err)
{
    char at[300];
    bool v6 = strchr(mesh->host, ':') != NULL;
    (void)snprintf(at, sizeof at, "%s%s%s:%u", v6 ? "[" : "", mesh->host, v6 ? "]" : "",
                   (unsigned)mesh->port);
    memset(err, 0, sizeof *err);
    switch (why) {
    case LINK_REFUSED:
        px_err_set(err, "coordinator-refused",
                   "coordinator %s does not answer (connection refused)", at);
        px_err_hint(err, "is it running?  systemctl status parallax-coordinator  on %s",
                    mesh->host);
        return;
    case LINK_NO_ANSWER:
        px_err_set(err, "coordinator-no-answer", "coordinator %s: no answer in %d s (%s)", at,
                   LINK_CONNECT_MS / 1000, detail);
        px_err_hint(err, "a firewall between it and this node?");
        return;
    case LINK_UNREACHABLE:
        px_err_set(err, "coordinator-unreachable", "coordinator %s cannot be reached (%s)", at,
                   detail);
        return;
    case LINK_NO_NAME:
        px_err_set(err, "coordinator-no-name", "coordinator %s: the name is not resolved (%s)", at,
                   detail);
        return;
    case LINK_NOT_PARALLAX:
        px_err_set(err, "not-a-coordinator",
                   "something listens on %s but is not a Parallax coordinator (%s)", at, detail);
        px_err_hint(err, "wrong port? default is 7331");
        return;
    case LINK_WRONG_KEY:
    case LINK_NOT_AUTHORISED:
        words_for_key(at, joined, public_key, why, err);
        return;
    case LINK_LOST:
    case LINK_END_COUNT:
        break;
    }
    px_err_set(err, "coordinator-lost", "the session with coordinator %s ended (%s)", at, detail);
}

/* Line breaks stay, everything else that moves a cursor is escaped. */
static void safe_lines(char *text, size_t size)
{
    char out[2048];
    size_t used = 0;
    char *line = text;
    for (bool more = true; more && used + 8 < sizeof out;) {
        size_t length = strcspn(line, "\n");
        more = line[length] != '\0';
        line[length] = '\0';
        px_text_safe(line, size, out + used, sizeof out - used - 2);
        used += strlen(out + used);
        if (more)
            out[used++] = '\n';
        line += length + more;
    }
    out[used] = '\0';
    px_text_copy(text, size, out);
}

void words_make_safe(struct px_err *err)
{
    safe_lines(err->message, sizeof err->message);
    char *second_line = strchr(err->message, '\n');
    if (second_line != NULL)
        *second_line = '\0';
    safe_lines(err->hint, sizeof err->hint);
}

/* ---- joined ---- */

/* Why this machine cannot send echo requests, if it is the usual reason. */
static void print_ping_range(FILE *f)
{
    char text[64] = "", *rest;
    FILE *setting = fopen("/proc/sys/net/ipv4/ping_group_range", "r");
    if (setting == NULL)
        return;
    if (fgets(text, sizeof text, setting) == NULL)
        text[0] = '\0';
    unsigned long low = strtoul(text, &rest, 10), high = strtoul(rest, NULL, 10);
    if (low > high)
        (void)fprintf(
            f,
            ": ping_group_range is \"%lu %lu\"\n"
            "                fix: sudo sysctl -w net.ipv4.ping_group_range=\"0 2147483647\""
            "   (optional)",
            low, high);
    (void)fclose(setting);
}

void words_print_joined(FILE *f, const struct membership *mesh, int64_t took_ns)
{
    char took[PX_DURATION_TEXT], fingerprint[KEY_FINGERPRINT_TEXT], can[PROBER_CAPABILITIES_TEXT];
    bool marks = setlocale(LC_CTYPE, "") != NULL && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    const char *good = marks ? "\u2713" : "ok";
    prober_capabilities(can);
    bool echo = strstr(can, "icmp") != NULL;
    (void)fprintf(f, "  %s reached     %s:%u in %s, fingerprint %s matches the token\n", good,
                  mesh->host, (unsigned)mesh->port, px_duration_format(took_ns, took),
                  key_fingerprint(mesh->server_key, fingerprint));
    (void)fprintf(f, "  %s joined      as \"%s\"\n", good, mesh->name);
    (void)fprintf(f, "  %s can         %s%s", echo ? good : "!", can, echo ? "" : "; not icmp");
    if (!echo)
        print_ping_range(f);
    (void)fputc('\n', f);
}
