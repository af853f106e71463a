/* SPDX-License-Identifier: MIT */
/*
 * The checks every field of a foreign message passes, and the memory one message may use. Knows
 * kinds of fields (text, word, address, time), not messages.
 */
#include "proto/wire_codec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/text.h"

#define MS_MAX 1e10 /* 115 days: no duration of ours is longer */

/* ---- memory ---- */

struct wire_block {
    LIST_ENTRY(wire_block) entry;
    size_t size;
    max_align_t bytes[];
};

static void *block_add(struct wire_arena *a, struct wire_block *block, size_t size)
{
    block->size = size;
    LIST_INSERT_HEAD(&a->blocks, block, entry);
    return block->bytes;
}

void *wire_arena_alloc(struct wire_arena *a, size_t size)
{
    if (size > a->left)
        return NULL;
    struct wire_block *block = calloc(1, sizeof(*block) + size);
    if (block == NULL)
        return NULL;
    a->left -= size;
    return block_add(a, block, size);
}

void wire_arena_free(struct wire_arena *a, void *p)
{
    if (p == NULL)
        return;
    struct wire_block *block = (void *)((char *)p - offsetof(struct wire_block, bytes));
    LIST_REMOVE(block, entry);
    a->left += block->size;
    free(block);
}

void *wire_out_alloc(struct wire_arena *a, size_t size)
{
    return block_add(a, px_xcalloc(1, sizeof(struct wire_block) + size), 0);
}

void wire_arena_clear(struct wire_arena *a)
{
    while (!LIST_EMPTY(&a->blocks)) {
        struct wire_block *block = LIST_FIRST(&a->blocks);
        LIST_REMOVE(block, entry);
        free(block);
    }
}

/* ---- encoding ---- */

ProtobufCBinaryData wire_out_text(const char *s)
{
    return (ProtobufCBinaryData){.len = strlen(s), .data = (uint8_t *)(uintptr_t)s};
}

ProtobufCBinaryData wire_out_addr(const struct px_addr *a)
{
    size_t length = a->family == 4 ? 4 : a->family == 6 ? 16 : 0;
    return (ProtobufCBinaryData){.len = length, .data = (uint8_t *)(uintptr_t)a->bytes};
}

size_t wire_out_labels(struct wire_arena *a, const struct px_label *labels, uint32_t n,
                       Parallax__Label ***out)
{
    *out = wire_out_alloc(a, n * sizeof(Parallax__Label *));
    for (uint32_t i = 0; i < n; i++) {
        (*out)[i] = WIRE_OUT(a, Parallax__Label, PARALLAX__LABEL__INIT);
        WIRE_SET_TEXT((*out)[i], key, labels[i].key);
        WIRE_SET_TEXT((*out)[i], value, labels[i].value);
    }
    return n;
}

size_t wire_out_words(struct wire_arena *a, const char (*words)[WIRE_WORD], uint32_t n,
                      ProtobufCBinaryData **out)
{
    *out = wire_out_alloc(a, n * sizeof(**out));
    for (uint32_t i = 0; i < n; i++)
        (*out)[i] = wire_out_text(words[i]);
    return n;
}

size_t wire_out_addrs(struct wire_arena *a, const struct px_addr *addrs, uint32_t n,
                      ProtobufCBinaryData **out)
{
    *out = wire_out_alloc(a, n * sizeof(**out));
    for (uint32_t i = 0; i < n; i++)
        (*out)[i] = wire_out_addr(&addrs[i]);
    return n;
}

/* ---- decoding ---- */

static int fault(struct px_err *err, const char *field, const char *why)
{
    return px_err_set(err, "bad-message", "%s: %s", field, why);
}

static bool all_of(const char *s, const char *allowed)
{
    return s[strspn(s, allowed)] == '\0';
}

static bool is_name(const char *s)
{
    return s[0] == '\0' || px_name_valid(s);
}

static bool is_word(const char *s)
{
    return all_of(s, "abcdefghijklmnopqrstuvwxyz0123456789-");
}

static bool is_id(const char *s)
{
    return all_of(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
}

static bool is_line(const char *s)
{
    while (*s != '\0') {
        uint32_t c = 0;
        int length = px_text_decode_utf8(s, &c);
        if (length == 0 || c < 0x20 || (c >= 0x7f && c < 0xa0))
            return false;
        s += length;
    }
    return true;
}

static bool is_raw(const char *s)
{
    (void)s;
    return true;
}

static const struct {
    bool (*holds)(const char *s);
    const char *why;
} text_rules[] = {
    [WIRE_TEXT_NAME] = {is_name, "not a name ([a-z0-9][a-z0-9._-]*)"},
    [WIRE_TEXT_WORD] = {is_word, "not a word ([a-z0-9-]*)"},
    [WIRE_TEXT_ID] = {is_id, "not an id (letters, digits, _ and -)"},
    [WIRE_TEXT_LINE] = {is_line, "not a line of printable UTF-8"},
    [WIRE_TEXT_RAW] = {is_raw, ""},
};
_Static_assert(sizeof(text_rules) / sizeof(text_rules[0]) == WIRE_TEXT_RULES, "every rule");

int wire_in_text(struct px_err *err, const char *field, ProtobufCBinaryData in,
                 enum wire_text_rule rule, char *out, size_t out_size)
{
    out[0] = '\0';
    if (in.len == 0)
        return 0;
    if (in.len >= out_size)
        return px_err_set(err, "bad-message", "%s: %zu bytes, at most %zu", field, in.len,
                          out_size - 1);
    if (memchr(in.data, '\0', in.len) != NULL)
        return fault(err, field, "holds a NUL byte");
    memcpy(out, in.data, in.len);
    out[in.len] = '\0';
    return text_rules[rule].holds(out) ? 0 : fault(err, field, text_rules[rule].why);
}

int wire_in_stage(struct px_err *err, const char *field, ProtobufCBinaryData in, enum px_stage *out)
{
    char word[WIRE_WORD];
    if (wire_in_text(err, field, in, WIRE_TEXT_WORD, word, sizeof(word)) != 0)
        return -1;
    int value = px_stage_parse(word);
    *out = value < 0 ? PX_STAGE_NONE : (enum px_stage)value;
    return 0;
}

int wire_in_code(struct px_err *err, const char *field, ProtobufCBinaryData in, enum px_code *out)
{
    char word[WIRE_WORD];
    if (wire_in_text(err, field, in, WIRE_TEXT_WORD, word, sizeof(word)) != 0)
        return -1;
    int value = px_code_parse(word);
    *out = value < 0 ? PX_CODE_UNKNOWN : (enum px_code)value;
    return 0;
}

int wire_in_addr(struct px_err *err, const char *field, ProtobufCBinaryData in, struct px_addr *out)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    memset(out, 0, sizeof(*out));
    if (in.len == 0)
        return 0;
    if (in.len != 4 && in.len != 16)
        return fault(err, field, "an address has 4 or 16 bytes");
    bool is_mapped = in.len == 16 && memcmp(in.data, mapped, sizeof(mapped)) == 0;
    out->family = in.len == 4 || is_mapped ? 4 : 6;
    memcpy(out->bytes, is_mapped ? in.data + sizeof(mapped) : in.data, is_mapped ? 4 : in.len);
    return 0;
}

int wire_in_limit(struct px_err *err, const char *field, uint64_t n, uint64_t max)
{
    if (n <= max)
        return 0;
    return px_err_set(err, "bad-message", "%s: %llu, at most %llu", field, (unsigned long long)n,
                      (unsigned long long)max);
}

int wire_in_time(struct px_err *err, const char *field, int64_t us, int64_t *ns)
{
    if (us > INT64_MAX / 1000 || us < INT64_MIN / 1000)
        return fault(err, field, "time out of range");
    *ns = us * 1000;
    return 0;
}

int wire_in_finite(struct px_err *err, const char *field, double value, double *out)
{
    if (!isfinite(value) || fabs(value) > MS_MAX)
        return fault(err, field, "number out of range");
    *out = value;
    return 0;
}

int wire_in_ms(struct px_err *err, const char *field, bool has, double ms, double *out)
{
    *out = -1;
    if (!has)
        return 0;
    if (wire_in_finite(err, field, ms, out) != 0)
        return -1;
    if (*out < 0)
        *out = -1;
    return 0;
}

bool wire_label_valid(const struct px_label *label)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/-";
    return label->key[0] != '\0' && all_of(label->key, allowed) && all_of(label->value, allowed);
}

int wire_in_labels(struct px_err *err, size_t n, Parallax__Label **in, struct px_label *out,
                   uint32_t *count)
{
    if (wire_in_limit(err, "labels", n, PX_LABELS_MAX) != 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (wire_in_text(err, "label.key", in[i]->key, WIRE_TEXT_RAW, out[i].key,
                         sizeof(out[i].key)) != 0 ||
            wire_in_text(err, "label.value", in[i]->value, WIRE_TEXT_RAW, out[i].value,
                         sizeof(out[i].value)) != 0)
            return -1;
        if (!wire_label_valid(&out[i]))
            return fault(err, "label", "holds other characters than letters, digits, . _ / and -");
    }
    *count = (uint32_t)n;
    return 0;
}

int wire_in_words(struct px_err *err, size_t n, const ProtobufCBinaryData *in,
                  char (*out)[WIRE_WORD], uint32_t *count)
{
    if (wire_in_limit(err, "capabilities", n, WIRE_CAPABILITIES_MAX) != 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (wire_in_text(err, "capability", in[i], WIRE_TEXT_WORD, out[i], WIRE_WORD) != 0)
            return -1;
    }
    *count = (uint32_t)n;
    return 0;
}
