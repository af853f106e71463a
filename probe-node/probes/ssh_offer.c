/* SPDX-License-Identifier: MIT */
/*
 * Why a negotiation failed. libssh 0.10 knows no post-quantum key exchange and no umac, and the
 * probe leaves out slow groups; a target that insists on these is not broken. The lists of OpenSSH
 * clients (defaults of 9.2 to 10) decide that.
 */
#include "probe-node/probes/ssh_offer.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const char ssh_offer_kex[] = "curve25519-sha256,curve25519-sha256@libssh.org,"
                             "ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,"
                             "diffie-hellman-group14-sha256";
const char ssh_offer_hostkeys[] = "ssh-ed25519,"
                                  "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,"
                                  "rsa-sha2-512,rsa-sha2-256";
const char ssh_offer_ciphers[] = "chacha20-poly1305@openssh.com,"
                                 "aes256-gcm@openssh.com,aes128-gcm@openssh.com,"
                                 "aes256-ctr,aes192-ctr,aes128-ctr";
const char ssh_offer_macs[] = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,"
                              "hmac-sha1-etm@openssh.com,"
                              "hmac-sha2-256,hmac-sha2-512,hmac-sha1";

#define OPENSSH_CIPHERS                                                                            \
    ",chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,"                             \
    "aes128-gcm@openssh.com,aes256-gcm@openssh.com,"
#define OPENSSH_MACS                                                                               \
    ",umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,"             \
    "hmac-sha2-512-etm@openssh.com,hmac-sha1-etm@openssh.com,umac-64@openssh.com,"                 \
    "umac-128@openssh.com,hmac-sha2-256,hmac-sha2-512,hmac-sha1,"
#define OPENSSH_COMPRESSION ",none,zlib@openssh.com,"

static const struct offer_part {
    const char *libssh; /* what libssh calls it in its error */
    const char *people;
    const char *openssh; /* what OpenSSH clients offer by default, commas all around */
} parts[] = {
    {"kex algos", "key exchange",
     ",mlkem768x25519-sha256,sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com,"
     "curve25519-sha256,curve25519-sha256@libssh.org,"
     "ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,"
     "diffie-hellman-group-exchange-sha256,diffie-hellman-group14-sha256,"
     "diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,"},
    {"server host key algo", "host key",
     ",ssh-ed25519,ssh-ed25519-cert-v01@openssh.com,sk-ssh-ed25519@openssh.com,"
     "sk-ssh-ed25519-cert-v01@openssh.com,"
     "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,"
     "ecdsa-sha2-nistp256-cert-v01@openssh.com,ecdsa-sha2-nistp384-cert-v01@openssh.com,"
     "ecdsa-sha2-nistp521-cert-v01@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com,"
     "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com,rsa-sha2-512,rsa-sha2-256,"
     "rsa-sha2-512-cert-v01@openssh.com,rsa-sha2-256-cert-v01@openssh.com,"},
    {"encryption client->server", "cipher to the server", OPENSSH_CIPHERS},
    {"encryption server->client", "cipher from the server", OPENSSH_CIPHERS},
    {"mac algo client->server", "MAC to the server", OPENSSH_MACS},
    {"mac algo server->client", "MAC from the server", OPENSSH_MACS},
    {"compression algo client->server", "compression to the server", OPENSSH_COMPRESSION},
    {"compression algo server->client", "compression from the server", OPENSSH_COMPRESSION},
};

static const char no_match[] = "kex error : no match for method ";
static const char server_list[] = ": server [";

/* Markers that servers put among the key exchanges; nothing to negotiate. */
static bool is_marker(const char *name, size_t len)
{
    static const char *const markers[] = {"ext-info-s", "kex-strict-s-v00@openssh.com"};

    for (size_t i = 0; i < sizeof(markers) / sizeof(markers[0]); i++) {
        if (strlen(markers[i]) == len && memcmp(markers[i], name, len) == 0)
            return true;
    }
    return false;
}

static bool is_listed(const char *list, const char *name, size_t len)
{
    char word[80];

    if (len == 0 || len + 3 > sizeof(word))
        return false;
    (void)snprintf(word, sizeof(word), ",%.*s,", (int)len, name);
    return strstr(list, word) != NULL;
}

/* Copy the server's names without markers; true if one of them is in `list`. */
static bool copy_names(const char *from, size_t len, const char *list, char *out, size_t size)
{
    bool found = false, more = false;
    size_t at = 0;

    out[0] = '\0';
    for (size_t i = 0; i < len;) {
        const char *comma = memchr(from + i, ',', len - i);
        size_t n = comma ? (size_t)(comma - (from + i)) : len - i;

        if (n > 0 && !is_marker(from + i, n)) {
            found = found || is_listed(list, from + i, n);
            if (at + n + sizeof(",,...") < size)
                at += (size_t)snprintf(out + at, size - at, "%s%.*s", at ? "," : "", (int)n,
                                       from + i);
            else
                more = true;
        }
        i += n + 1;
    }
    if (more)
        (void)snprintf(out + at, size - at, ",...");
    return found;
}

static const struct offer_part *find_part(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strlen(parts[i].libssh) == len && memcmp(parts[i].libssh, name, len) == 0)
            return &parts[i];
    }
    return NULL;
}

enum px_code ssh_offer_explain(const char *error, char *text, size_t size)
{
    static const char too_large[] = "too large banner";
    const char *method = error + sizeof(no_match) - 1;
    const char *list = NULL;
    const struct offer_part *part;
    char names[200];
    const char *end;
    bool openssh;

    if (strstr(error, too_large)) {
        (void)snprintf(text, size, "probe cannot: greeting longer than 255 bytes");
        return PX_CODE_UNABLE;
    }
    if (strncmp(error, no_match, sizeof(no_match) - 1) == 0)
        list = strstr(method, server_list);
    if (!list)
        return PX_CODE_UNKNOWN;
    part = find_part(method, (size_t)(list - method));
    list += sizeof(server_list) - 1;
    end = strchr(list, ']'); /* a very long list may have been cut off */
    openssh = copy_names(list, end ? (size_t)(end - list) : strlen(list), part ? part->openssh : "",
                         names, sizeof(names));
    if (openssh)
        (void)snprintf(text, size, "probe cannot: server offers only %s (%s)", names, part->people);
    else
        (void)snprintf(text, size, "no common %s: server offers only %s",
                       part ? part->people : "algorithm", names[0] ? names : "nothing");
    return openssh ? PX_CODE_UNABLE : PX_CODE_KEX_MISMATCH;
}
