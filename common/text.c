/* SPDX-License-Identifier: MIT */
/*
 * Text of strangers made harmless, suggestions for typing errors, and allocation that ends the
 * program when memory is out. Does not know what any text means.
 */
#include "common/text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUGGEST_MAX 255 /* longer words get no suggestion */

int px_text_decode_utf8(const char *s, uint32_t *c)
{
    const unsigned char *u = (const unsigned char *)s;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    int length = u[0] < 0x80             ? 1
                 : (u[0] & 0xe0) == 0xc0 ? 2
                 : (u[0] & 0xf0) == 0xe0 ? 3
                 : (u[0] & 0xf8) == 0xf0 ? 4
                                         : 0;
    if (length == 0 || u[0] == 0)
        return 0;
    uint32_t value = length == 1 ? u[0] : u[0] & (0xffu >> (length + 1));
    for (int i = 1; i < length; i++) {
        if ((u[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (u[i] & 0x3fu);
    }
    if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *c = value;
    return length;
}

/* Characters that move the cursor, reorder or hide text. */
static bool is_unsafe(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0x00, 0x1f},       /* control */
        {0x7f, 0x9f},       /* delete and C1 */
        {0xad, 0xad},       /* soft hyphen */
        {0x61c, 0x61c},     /* Arabic letter mark */
        {0x180e, 0x180e},   /* Mongolian vowel separator */
        {0x200b, 0x200f},   /* zero width, direction marks */
        {0x2028, 0x202e},   /* line and paragraph separator, embeddings and overrides */
        {0x2060, 0x206f},   /* word joiner, isolates, deprecated format characters */
        {0xfeff, 0xfeff},   /* byte order mark */
        {0xfff9, 0xfffb},   /* interlinear annotation */
        {0xe0000, 0xe0fff}, /* tags, further variation selectors */
    };
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    }
    return false;
}

/* One source character as it may be shown; returns the source bytes consumed. */
static int piece_format(const char *src, char piece[16], size_t *shown)
{
    uint32_t c = 0;
    int length = px_text_decode_utf8(src, &c);
    *shown = 1;
    if (length == 0) {
        *shown = (size_t)snprintf(piece, 16, "\\x%02x", (unsigned)(unsigned char)src[0]);
        return 1;
    }
    if (is_unsafe(c))
        *shown = (size_t)snprintf(piece, 16, c < 0x80 ? "\\x%02x" : "\\u{%x}", (unsigned)c);
    else
        snprintf(piece, 16, "%.*s", length, src);
    return length;
}

char *px_text_safe(const char *src, size_t max, char *out, size_t out_size)
{
    size_t used = 0, shown = 0;
    bool cut = false;
    if (out_size == 0)
        return out;
    /* `mark` is the last place where "..." still fits */
    size_t mark = 0;
    while (*src != '\0') {
        char piece[16];
        size_t width;
        int taken = piece_format(src, piece, &width);
        size_t bytes = strlen(piece);
        if (shown + width > max || used + bytes >= out_size) {
            cut = true;
            break;
        }
        memcpy(out + used, piece, bytes);
        used += bytes;
        shown += width;
        src += taken;
        if (used + 3 < out_size)
            mark = used;
    }
    out[used] = '\0';
    if (cut && out_size > 3)
        memcpy(out + mark, "...", 4);
    return out;
}

int px_text_copy(char *out, size_t out_size, const char *src)
{
    size_t length = strlen(src);
    if (out_size == 0)
        return -1;
    size_t kept = length < out_size ? length : out_size - 1;
    memmove(out, src, kept);
    out[kept] = '\0';
    return kept == length ? 0 : -1;
}

static unsigned least3(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Insertions, deletions, replacements and swaps of neighbours that turn a into b. */
static unsigned edit_distance(const char *a, size_t na, const char *b, size_t nb)
{
    unsigned rows[3][SUGGEST_MAX + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= nb; j++)
        above[j] = (unsigned)j;
    for (size_t i = 1; i <= na; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned replaced = above[j - 1] + (same_letter(a[i - 1], b[j - 1]) ? 0 : 1);
            row[j] = least3(above[j] + 1, row[j - 1] + 1, replaced);
            if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
                same_letter(a[i - 2], b[j - 1]) && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        unsigned *reused = before;
        before = above;
        above = row;
        row = reused;
    }
    return above[nb];
}

const char *px_text_suggest(const char *word, const char *const *words, size_t n)
{
    size_t length = strlen(word);
    unsigned nearest = length < 6 ? 2 : length < 10 ? 3 : 4; /* one more than allowed */
    const char *found = NULL;
    if (length < 2 || length > SUGGEST_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t other = strlen(words[i]);
        if (other < 2 || other > SUGGEST_MAX)
            continue;
        unsigned distance = edit_distance(word, length, words[i], other);
        if (distance < nearest && distance < other) {
            nearest = distance;
            found = words[i];
        }
    }
    return found;
}

static void *checked(void *p)
{
    if (p == NULL) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return p;
}

void *px_xcalloc(size_t n, size_t size)
{
    return checked(calloc(n > 0 ? n : 1, size > 0 ? size : 1));
}

void *px_xrealloc(void *p, size_t n, size_t size)
{
    return checked(reallocarray(p, n > 0 ? n : 1, size > 0 ? size : 1));
}

char *px_xstrdup(const char *s)
{
    return checked(strdup(s));
}

char *px_xasprintf(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    return checked(length < 0 ? NULL : text);
}
