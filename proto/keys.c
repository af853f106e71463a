/* SPDX-License-Identifier: MIT */
/*
 * Key pairs and their files. The pair is X25519, which is what CURVE uses; a file whose halves do
 * not belong together is refused. Sends nothing.
 */
#include "proto/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/key_words.h"

#define FILE_HEAD "parallax key 1\n"
#define FILE_BYTES_MAX 512
#define HEX_TEXT (2 * KEY_BYTES + 1)

void key_clear(struct key_pair *k)
{
    explicit_bzero(k, sizeof(*k));
}

/* The public half that belongs to a secret one. */
static bool public_derive(const uint8_t secret[KEY_BYTES], uint8_t public_key[KEY_BYTES])
{
    size_t size = KEY_BYTES;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, KEY_BYTES);
    bool done = key != NULL && EVP_PKEY_get_raw_public_key(key, public_key, &size) == 1;
    EVP_PKEY_free(key);
    return done && size == KEY_BYTES;
}

void key_generate(struct key_pair *k)
{
    if (getentropy(k->secret_key, KEY_BYTES) != 0 || !public_derive(k->secret_key, k->public_key)) {
        (void)fputs("no randomness or no X25519: cannot make a key\n", stderr);
        abort();
    }
}

static void hex_format(const uint8_t *bytes, char *out)
{
    for (size_t i = 0; i < KEY_BYTES; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static bool hex_parse(const char *text, uint8_t *bytes)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < (size_t)2 * KEY_BYTES; i++) {
        const char *digit = text[i] != '\0' ? strchr(digits, text[i]) : NULL;
        if (digit == NULL)
            return false;
        unsigned value = (unsigned)(digit - digits);
        bytes[i / 2] = (uint8_t)(i % 2 == 0 ? value << 4 : bytes[i / 2] | value);
    }
    return true;
}

static bool line_parse(const char **text, const char *word, uint8_t *bytes)
{
    size_t length = strlen(word);
    if (strncmp(*text, word, length) != 0 || !hex_parse(*text + length, bytes))
        return false;
    *text += length + 2 * (size_t)KEY_BYTES;
    return *(*text)++ == '\n';
}

static bool file_parse(const char *text, struct key_pair *k)
{
    uint8_t derived[KEY_BYTES];
    if (strncmp(text, FILE_HEAD, strlen(FILE_HEAD)) != 0)
        return false;
    text += strlen(FILE_HEAD);
    return line_parse(&text, "public ", k->public_key) &&
           line_parse(&text, "secret ", k->secret_key) && *text == '\0' &&
           public_derive(k->secret_key, derived) && memcmp(derived, k->public_key, KEY_BYTES) == 0;
}

static int mode_check(int fd, const char *path, struct px_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return px_err_set(err, "bad-key", "%s is not a file", path);
    if ((st.st_mode & 077) == 0)
        return 0;
    px_err_set(err, "key-mode", "%s is readable by others (%04o); chmod 600 it", path,
               (unsigned)(st.st_mode & 07777));
    return px_err_hint(err, "chmod 600 %s", path);
}

int key_load(const char *path, struct key_pair *k, struct px_err *err)
{
    char text[FILE_BYTES_MAX + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return px_err_set(err, errno == ENOENT ? "no-key" : "key-file", "%s: %s", path,
                          strerror(errno));
    int result = mode_check(fd, path, err);
    ssize_t n = result == 0 ? read(fd, text, FILE_BYTES_MAX) : -1;
    close(fd);
    if (result != 0)
        return -1;
    text[n < 0 ? 0 : n] = '\0';
    bool whole = n >= 0 && strlen(text) == (size_t)n && file_parse(text, k);
    explicit_bzero(text, sizeof(text));
    if (whole)
        return 0;
    key_clear(k);
    px_err_set(err, "bad-key", "%s is not a Parallax key file, or it is damaged", path);
    return px_err_hint(err, "restore it from a backup, or move it away to get a new key");
}

static int file_write(int fd, const struct key_pair *k)
{
    char text[FILE_BYTES_MAX], public_hex[HEX_TEXT], secret_hex[HEX_TEXT];
    hex_format(k->public_key, public_hex);
    hex_format(k->secret_key, secret_hex);
    int n =
        snprintf(text, sizeof(text), FILE_HEAD "public %s\nsecret %s\n", public_hex, secret_hex);
    ssize_t done = write(fd, text, (size_t)n);
    explicit_bzero(text, sizeof(text));
    explicit_bzero(secret_hex, sizeof(secret_hex));
    return done == n && fsync(fd) == 0 ? 0 : -1;
}

int key_save(const char *path, const struct key_pair *k, struct px_err *err)
{
    char temporary[4096];
    int length = snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
    if (length < 0 || (size_t)length >= sizeof(temporary))
        return px_err_set(err, "key-file", "%.100s...: the path is too long", path);
    int fd = mkostemp(temporary, O_CLOEXEC); /* mode 0600 */
    if (fd < 0)
        return px_err_set(err, "key-file", "cannot write %s: %s", path, strerror(errno));
    int result = file_write(fd, k);
    /* a link appears whole or not at all, and never replaces what is there */
    if (result == 0)
        result = link(temporary, path);
    int why = errno;
    close(fd);
    unlink(temporary);
    if (result == 0)
        return 0;
    return px_err_set(err, why == EEXIST ? "key-exists" : "key-file", "cannot write %s: %s", path,
                      strerror(why));
}

int key_load_or_create(const char *path, struct key_pair *k, struct px_err *err)
{
    struct px_err why = {0};
    if (key_load(path, k, &why) == 0)
        return 0;
    if (strcmp(why.code, "no-key") == 0) {
        key_generate(k);
        if (key_save(path, k, &why) == 0)
            return 0;
        key_clear(k);
        /* somebody else was faster */
        if (strcmp(why.code, "key-exists") == 0)
            return key_load(path, k, err);
    }
    if (err != NULL)
        *err = why;
    return -1;
}

char *key_fingerprint(const uint8_t public_key[KEY_BYTES], char *out)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    static const char domain[] = "parallax fingerprint 1";
    uint8_t text[sizeof(domain) + KEY_BYTES];
    memcpy(text, domain, sizeof(domain));
    memcpy(text + sizeof(domain), public_key, KEY_BYTES);
    if (EVP_Digest(text, sizeof(text), hash, NULL, EVP_sha256(), NULL) != 1)
        abort(); /* only without memory */
    (void)snprintf(out, KEY_FINGERPRINT_TEXT, "%s-%02x%02x-%02x%02x", key_words[hash[0]], hash[1],
                   hash[2], hash[3], hash[4]);
    return out;
}
