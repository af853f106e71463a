/* SPDX-License-Identifier: MIT */
/*
 * Join tokens: everything a new node or user needs in one line that can be copied or typed.
 * "plx1-" or "plu1-", then base32 (no i, l, o, u) in groups of four:
 *   role (1), port (2, big-endian), server key (32), secret (32), host (1 to 253), checksum (4).
 * Whether a token is still good is the coordinator's business.
 */
#include <ctype.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "common/target.h"
#include "common/text.h"
#include "proto/keys.h"

#define PREFIX_NODE "plx1-"
#define PREFIX_USER "plu1-"
#define PREFIX_LENGTH 5
#define GROUP 4
#define HEAD_BYTES (1 + 2 + KEY_BYTES + TOKEN_SECRET)
#define SUM_BYTES 4
#define BYTES_MAX (HEAD_BYTES + PX_HOST_MAX + SUM_BYTES)
#define DIGITS_MAX ((BYTES_MAX * 8 + 4) / 5)
_Static_assert(PREFIX_LENGTH + DIGITS_MAX + DIGITS_MAX / GROUP + 1 < TOKEN_TEXT_MAX,
               "the longest token fits");

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

static const char *const role_names[] = {
    [TOKEN_NODE] = "node", [TOKEN_OPERATOR] = "operator", [TOKEN_VIEWER] = "viewer"};
#define ROLES (sizeof(role_names) / sizeof(role_names[0]))

const char *token_role_name(enum token_role r)
{
    return (size_t)r < ROLES ? role_names[r] : "?";
}

int token_role_parse(const char *word)
{
    for (size_t i = 0; i < ROLES; i++) {
        if (strcmp(word, role_names[i]) == 0)
            return (int)i;
    }
    return -1;
}

static void hash_of(const char *domain, const uint8_t *bytes, size_t n, uint8_t hash[32])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1 ||
        EVP_DigestUpdate(context, domain, strlen(domain)) != 1 ||
        EVP_DigestUpdate(context, bytes, n) != 1 || EVP_DigestFinal_ex(context, hash, NULL) != 1)
        abort(); /* only without memory */
    EVP_MD_CTX_free(context);
}

void token_secret_hash(const uint8_t secret[TOKEN_SECRET], uint8_t hash[32])
{
    hash_of("parallax token secret 1", secret, TOKEN_SECRET, hash);
}

static void checksum(const char *prefix, const uint8_t *bytes, size_t n, uint8_t sum[SUM_BYTES])
{
    uint8_t hash[32];
    hash_of(prefix, bytes, n, hash);
    memcpy(sum, hash, SUM_BYTES);
}

/* Five bits from `bit` on; zero beyond the end. */
static unsigned five_bits(const uint8_t *bytes, size_t n, size_t bit)
{
    unsigned value = 0;
    for (size_t i = bit; i < bit + 5; i++) {
        unsigned byte = i / 8 < n ? bytes[i / 8] : 0;
        value = value << 1 | (byte >> (7 - i % 8) & 1u);
    }
    return value;
}

static void base32_format(const uint8_t *bytes, size_t n, char *out)
{
    for (size_t bit = 0; bit < n * 8; bit += 5) {
        if (bit > 0 && bit / 5 % GROUP == 0)
            *out++ = '-';
        *out++ = digits[five_bits(bytes, n, bit)];
    }
    *out = '\0';
}

/* Digits in any case, groups and blanks ignored; the number of bytes, or -1 with the bad one. */
static int base32_parse(const char *text, uint8_t *bytes, size_t size, char *bad)
{
    unsigned pending = 0, bits = 0;
    size_t n = 0;
    for (; *text != '\0'; text++) {
        char c = (char)tolower((unsigned char)*text);
        if (c == '-' || isspace((unsigned char)c))
            continue;
        if (c == 'i' || c == 'l')
            c = '1';
        else if (c == 'o')
            c = '0';
        const char *digit = strchr(digits, c);
        if (digit == NULL) {
            *bad = *text;
            return -1;
        }
        pending = (pending << 5 | (unsigned)(digit - digits)) & 0xfffu;
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            if (n == size)
                return (int)size + 1;
            bytes[n++] = (uint8_t)(pending >> bits);
        }
    }
    return (int)n;
}

char *token_format(const struct token *t, char *out)
{
    uint8_t bytes[BYTES_MAX] = {(uint8_t)t->role, (uint8_t)(t->port >> 8), (uint8_t)t->port};
    const char *prefix = t->role == TOKEN_NODE ? PREFIX_NODE : PREFIX_USER;
    size_t host = strnlen(t->host, PX_HOST_MAX);
    memcpy(bytes + 3, t->server_key, KEY_BYTES);
    memcpy(bytes + 3 + KEY_BYTES, t->secret, TOKEN_SECRET);
    memcpy(bytes + HEAD_BYTES, t->host, host);
    checksum(prefix, bytes, HEAD_BYTES + host, bytes + HEAD_BYTES + host);
    memcpy(out, prefix, PREFIX_LENGTH + 1);
    base32_format(bytes, HEAD_BYTES + host + SUM_BYTES, out + PREFIX_LENGTH);
    explicit_bzero(bytes, sizeof(bytes));
    return out;
}

static int fail(struct px_err *err, const char *what)
{
    px_err_set(err, "bad-token", "%s", what);
    return px_err_hint(err, "copy it again, whole; tokens are printed by:  "
                            "parallax-coordinator token --state DIR --role node");
}

static int parts_read(const uint8_t *bytes, size_t n, bool for_node, struct token *t,
                      struct px_err *err)
{
    struct px_target host;
    char url[PX_HOST_MAX + 16];
    size_t length = n - HEAD_BYTES - SUM_BYTES;
    bool role_fits =
        for_node ? bytes[0] == TOKEN_NODE : bytes[0] == TOKEN_OPERATOR || bytes[0] == TOKEN_VIEWER;
    t->role = (enum token_role)bytes[0];
    t->port = (uint16_t)(bytes[1] << 8 | bytes[2]);
    memcpy(t->server_key, bytes + 3, KEY_BYTES);
    memcpy(t->secret, bytes + 3 + KEY_BYTES, TOKEN_SECRET);
    memcpy(t->host, bytes + HEAD_BYTES, length);
    t->host[length] = '\0';
    (void)snprintf(url, sizeof(url), strchr(t->host, ':') != NULL ? "tcp://[%s]:1" : "tcp://%s:1",
                   t->host);
    if (!role_fits || t->port == 0 || strlen(t->host) != length ||
        px_target_parse(url, &host, NULL) != 0)
        return fail(err, "the token is of a kind this version does not know");
    return 0;
}

int token_parse(const char *text, struct token *t, struct px_err *err)
{
    uint8_t bytes[BYTES_MAX], sum[SUM_BYTES];
    char bad = '\0';
    memset(t, 0, sizeof(*t));
    text += strspn(text, " \t\r\n");
    bool for_node = strncasecmp(text, PREFIX_NODE, PREFIX_LENGTH) == 0;
    if (!for_node && strncasecmp(text, PREFIX_USER, PREFIX_LENGTH) != 0)
        return fail(err, "that is not a token: tokens begin with " PREFIX_NODE " or " PREFIX_USER);
    int n = base32_parse(text + PREFIX_LENGTH, bytes, sizeof(bytes), &bad);
    if (n < 0) {
        char one[2] = {bad, '\0'}, shown[16], what[80];
        px_text_safe(one, 8, shown, sizeof(shown));
        (void)snprintf(what, sizeof(what), "the token holds \"%s\", which no token does", shown);
        return fail(err, what);
    }
    if ((size_t)n > sizeof(bytes))
        return fail(err, "the token is too long; was something appended to it?");
    if (n <= HEAD_BYTES + SUM_BYTES)
        return fail(err, "the token is cut off");
    checksum(for_node ? PREFIX_NODE : PREFIX_USER, bytes, (size_t)n - SUM_BYTES, sum);
    if (memcmp(sum, bytes + n - SUM_BYTES, SUM_BYTES) != 0)
        return fail(err, "the token has a typing error or is incomplete (its checksum is wrong)");
    int result = parts_read(bytes, (size_t)n, for_node, t, err);
    explicit_bzero(bytes, sizeof(bytes));
    if (result != 0)
        memset(t, 0, sizeof(*t));
    return result;
}
