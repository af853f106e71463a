/* SPDX-License-Identifier: MIT */
/*
 * Reading records out of foreign JSON along the tables of report_json.c: every type, word, number
 * and size is checked, every error says where. Knows nothing of the document as a whole.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/report_json.h"
#include "common/text.h"

#define SHOWN_MAX 80
#define SHOWN_TEXT (SHOWN_MAX * 4 + 4)
#define PLACE_TEXT 160
#define PLACE_DEPTH_MAX 16
#define NUMBER_MAX 1e12      /* far beyond any time in ms, and safe to convert */
#define KNOWN_WORDS_SHOWN 8u /* longer vocabularies are not listed in a hint */

/* "results[3].icmp.from" */
static char *place_format(const struct px_json_place *place, char *out)
{
    const struct px_json_place *chain[PLACE_DEPTH_MAX];
    size_t depth = 0, used = 0;
    for (; place != NULL && depth < PLACE_DEPTH_MAX; place = place->up)
        chain[depth++] = place;
    out[0] = '\0';
    while (depth-- > 0) {
        char key[SHOWN_TEXT];
        int n;
        if (chain[depth]->key == NULL)
            n = snprintf(out + used, PLACE_TEXT - used, "[%zu]", chain[depth]->index);
        else
            n = snprintf(out + used, PLACE_TEXT - used, "%s%s", used > 0 ? "." : "",
                         px_text_safe(chain[depth]->key, 40, key, sizeof(key)));
        if (n < 0 || (size_t)n >= PLACE_TEXT - used)
            break;
        used += (size_t)n;
    }
    return out;
}

int px_json_fail(const struct px_json_place *at, struct px_err *err, const char *format, ...)
{
    char place[PLACE_TEXT], why[sizeof(((struct px_err *)0)->message)];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    return px_err_set(err, "bad-document", "%s: %s", place_format(at, place), why);
}

static const char *kind_name(json_type type)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object",       [JSON_ARRAY] = "a list",  [JSON_STRING] = "text",
        [JSON_INTEGER] = "a whole number", [JSON_REAL] = "a number", [JSON_TRUE] = "true or false",
        [JSON_FALSE] = "true or false",    [JSON_NULL] = "null"};
    return names[type];
}

int px_json_read_kind(const struct px_json_place *at, const json_t *value, json_type type,
                      struct px_err *err)
{
    if (value == NULL)
        return px_json_fail(at, err, "missing");
    if (json_typeof(value) == type)
        return 0;
    return px_json_fail(at, err, "expected %s, got %s", kind_name(type),
                        kind_name(json_typeof(value)));
}

int px_json_read_text(const struct px_json_place *at, const json_t *value, size_t max,
                      const char **text, struct px_err *err)
{
    if (px_json_read_kind(at, value, JSON_STRING, err) != 0)
        return -1;
    if (json_string_length(value) > max)
        return px_json_fail(at, err, "%zu bytes, at most %zu", json_string_length(value), max);
    *text = json_string_value(value);
    return 0;
}

int px_json_read_count(const struct px_json_place *at, const json_t *value, uint64_t max,
                       uint64_t *out, struct px_err *err)
{
    if (px_json_read_kind(at, value, JSON_INTEGER, err) != 0)
        return -1;
    json_int_t v = json_integer_value(value);
    if (v < 0 || (uint64_t)v > max)
        return px_json_fail(at, err, "%" JSON_INTEGER_FORMAT " is not between 0 and %" PRIu64, v,
                            max);
    *out = (uint64_t)v;
    return 0;
}

int px_json_read_list(const struct px_json_place *at, const json_t *value, size_t max,
                      struct px_err *err)
{
    if (px_json_read_kind(at, value, JSON_ARRAY, err) != 0)
        return -1;
    if (json_array_size(value) > max)
        return px_json_fail(at, err, "%zu elements, at most %zu", json_array_size(value), max);
    return 0;
}

int px_json_read_strings(const struct px_json_place *at, const json_t *value,
                         struct px_strs *strings, struct px_err *err)
{
    if (px_json_read_list(at, value, PX_REPORT_STRINGS_MAX, err) != 0)
        return -1;
    for (size_t i = 0; i < json_array_size(value); i++) {
        struct px_json_place here = {at, NULL, i};
        const char *text;
        if (px_json_read_text(&here, json_array_get(value, i), PX_REPORT_STRING_MAX, &text, err))
            return -1;
        px_strs_add(strings, text);
    }
    return 0;
}

int px_json_read_address(const struct px_json_place *at, const json_t *value, struct px_addr *out,
                         struct px_err *err)
{
    const char *text;
    char shown[SHOWN_TEXT];
    if (px_json_read_text(at, value, PX_REPORT_STRING_MAX, &text, err) != 0)
        return -1;
    if (px_addr_parse(text, out))
        return 0;
    return px_json_fail(at, err, "\"%s\" is not an IP address",
                        px_text_safe(text, SHOWN_MAX, shown, sizeof(shown)));
}

static int number_read(const struct px_json_place *at, const json_t *value, double min, double max,
                       double *out, struct px_err *err)
{
    if (!json_is_number(value))
        return px_json_fail(at, err, "expected a number, got %s", kind_name(json_typeof(value)));
    double v = json_number_value(value);
    if (!(v >= min && v <= max))
        return px_json_fail(at, err, "%g is not between %g and %g", v, min, max);
    *out = v;
    return 0;
}

static int word_fail(const struct px_json_place *at, enum px_vocab vocab, const char *word,
                     struct px_err *err)
{
    size_t n;
    const char *const *words = px_vocab_words(vocab, &n);
    char shown[SHOWN_TEXT], known[256] = "";
    const char *near = px_text_suggest(word, words, n);
    px_json_fail(at, err, "no such %s \"%s\"%s%s%s", px_vocab_noun(vocab),
                 px_text_safe(word, SHOWN_MAX, shown, sizeof(shown)),
                 near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    if (near != NULL || n > KNOWN_WORDS_SHOWN)
        return -1;
    for (size_t i = 0; i < n; i++)
        snprintf(known + strlen(known), sizeof(known) - strlen(known), " %s", words[i]);
    return px_err_hint(err, "known:%s", known);
}

static int word_read(const struct px_json_place *at, const json_t *value, enum px_vocab vocab,
                     void *out, struct px_err *err)
{
    size_t n;
    const char *const *words = px_vocab_words(vocab, &n);
    const char *word;
    if (px_json_read_text(at, value, PX_REPORT_STRING_MAX, &word, err) != 0)
        return -1;
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(words[i], word) == 0) {
            memcpy(out, &i, sizeof(i));
            return 0;
        }
    }
    return word_fail(at, vocab, word, err);
}

/* Smaller unsigned members first; the caller has checked the range. */
static void count_write(void *at, size_t size, uint64_t value)
{
    uint8_t u8 = (uint8_t)value;
    uint16_t u16 = (uint16_t)value;
    uint32_t u32 = (uint32_t)value;
    memcpy(at,
           size == 1   ? (void *)&u8
           : size == 2 ? (void *)&u16
           : size == 4 ? (void *)&u32
                       : &value,
           size);
}

/* ---- one reader for each kind of field; `at` in the record is where the member stands ---- */

typedef int reader(const struct px_json_place *at, const struct px_json_field *f,
                   const json_t *value, char *record, struct px_err *err);

static int text_field(const struct px_json_place *at, const struct px_json_field *f,
                      const json_t *value, char *record, struct px_err *err)
{
    const char *text;
    if (px_json_read_text(at, value, f->size - 1, &text, err) != 0)
        return -1;
    memset(record + f->offset, 0,
           f->size); /* a default may be longer: equal records, equal bytes */
    px_text_copy(record + f->offset, f->size, text);
    return 0;
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *found = c == '\0' ? NULL : strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c);
    return found == NULL ? -1 : (int)(found - digits);
}

/* The byte of "\\" or "\xNN" at *p, which moves behind it; -1 if it is neither. */
static int raw_byte(const char **p)
{
    if ((*p)[1] == '\\') {
        *p += 2;
        return '\\';
    }
    int high = (*p)[1] == 'x' ? hex_digit((*p)[2]) : -1;
    int low = high < 0 ? -1 : hex_digit((*p)[3]);
    *p += 4;
    return low < 0 || high + low == 0 ? -1 : high * 16 + low;
}

static int raw_field(const struct px_json_place *at, const struct px_json_field *f,
                     const json_t *value, char *record, struct px_err *err)
{
    const char *p;
    size_t used = 0;
    if (px_json_read_text(at, value, (f->size - 1) * 4, &p, err) != 0)
        return -1;
    while (*p != '\0') {
        int byte = *p == '\\' ? raw_byte(&p) : (unsigned char)*p++;
        if (byte < 0)
            return px_json_fail(at, err, "a backslash is followed by neither a backslash nor xNN");
        if (used + 1 >= f->size)
            return px_json_fail(at, err, "more than %zu bytes", f->size - 1);
        record[f->offset + used++] = (char)byte;
    }
    record[f->offset + used] = '\0';
    return 0;
}

static int string_field(const struct px_json_place *at, const struct px_json_field *f,
                        const json_t *value, char *record, struct px_err *err)
{
    const char *text;
    if (px_json_read_text(at, value, PX_REPORT_STRING_MAX, &text, err) != 0)
        return -1;
    char *copy = px_xstrdup(text);
    memcpy(record + f->offset, &copy, sizeof(copy));
    return 0;
}

static int strings_field(const struct px_json_place *at, const struct px_json_field *f,
                         const json_t *value, char *record, struct px_err *err)
{
    return px_json_read_strings(at, value, (struct px_strs *)(void *)(record + f->offset), err);
}

static int bool_field(const struct px_json_place *at, const struct px_json_field *f,
                      const json_t *value, char *record, struct px_err *err)
{
    bool v = json_is_true(value);
    if (!json_is_boolean(value))
        return px_json_read_kind(at, value, JSON_TRUE, err);
    memcpy(record + f->offset, &v, sizeof(v));
    return 0;
}

static int count_field(const struct px_json_place *at, const struct px_json_field *f,
                       const json_t *value, char *record, struct px_err *err)
{
    uint64_t v, max = f->size >= 8 ? INT64_MAX : (UINT64_C(1) << (f->size * 8)) - 1;
    if (px_json_read_count(at, value, max, &v, err) != 0)
        return -1;
    count_write(record + f->offset, f->size, v);
    return 0;
}

static int id_field(const struct px_json_place *at, const struct px_json_field *f,
                    const json_t *value, char *record, struct px_err *err)
{
    const char *text;
    uint64_t v = 0;
    if (px_json_read_text(at, value, 20, &text, err) != 0)
        return -1;
    bool good = text[0] != '\0';
    for (; *text != '\0' && good; text++)
        good = *text >= '0' && *text <= '9' && !__builtin_mul_overflow(v, 10u, &v) &&
               !__builtin_add_overflow(v, (unsigned)(*text - '0'), &v);
    if (!good)
        return px_json_fail(at, err, "not a number of 64 bits as text");
    memcpy(record + f->offset, &v, sizeof(v));
    return 0;
}

static int number_field(const struct px_json_place *at, const struct px_json_field *f,
                        const json_t *value, char *record, struct px_err *err)
{
    double v = 0, min = f->kind == PX_FIELD_NUMBER ? -NUMBER_MAX : 0;
    if (number_read(at, value, min, f->kind == PX_FIELD_SHARE ? 1 : NUMBER_MAX, &v, err) != 0)
        return -1;
    memcpy(record + f->offset, &v, sizeof(v));
    return 0;
}

static int time_field(const struct px_json_place *at, const struct px_json_field *f,
                      const json_t *value, char *record, struct px_err *err)
{
    const char *text;
    px_wall v;
    struct px_err why = {0};
    if (px_json_read_text(at, value, PX_REPORT_STRING_MAX, &text, err) != 0)
        return -1;
    if (px_wall_parse(text, &v, &why) != 0) {
        px_json_fail(at, err, "%s", why.message);
        return px_err_hint(err, "%s", why.hint);
    }
    memcpy(record + f->offset, &v, sizeof(v));
    return 0;
}

static int address_field(const struct px_json_place *at, const struct px_json_field *f,
                         const json_t *value, char *record, struct px_err *err)
{
    return px_json_read_address(at, value, (struct px_addr *)(void *)(record + f->offset), err);
}

static int word_field(const struct px_json_place *at, const struct px_json_field *f,
                      const json_t *value, char *record, struct px_err *err)
{
    return word_read(at, value, f->vocab, record + f->offset, err);
}

static int record_field(const struct px_json_place *at, const struct px_json_field *f,
                        const json_t *value, char *record, struct px_err *err)
{
    return px_json_read_fields(at, f->table, value, record + f->offset, err);
}

static int stages_field(const struct px_json_place *at, const struct px_json_field *f,
                        const json_t *value, char *record, struct px_err *err)
{
    const char *key;
    json_t *ms;
    if (px_json_read_kind(at, value, JSON_OBJECT, err) != 0)
        return -1;
    /* jansson iterates over non-const objects only, but does not change them */
    json_object_foreach((json_t *)(uintptr_t)value, key, ms)
    {
        struct px_json_place here = {at, key, 0};
        double v = 0;
        int stage = px_stage_parse(key);
        if (stage < 0)
            return word_fail(&here, PX_VOCAB_STAGE, key, err);
        if (number_read(&here, ms, 0, NUMBER_MAX, &v, err) != 0)
            return -1;
        memcpy(record + f->offset + (size_t)stage * sizeof(v), &v, sizeof(v));
    }
    return 0;
}

static int element_read(const struct px_json_place *at, const struct px_json_field *f,
                        const json_t *value, char *element, struct px_err *err)
{
    if (f->kind == PX_FIELD_WORDS)
        return word_read(at, value, f->vocab, element, err);
    if (f->kind == PX_FIELD_ADDRESSES)
        return px_json_read_address(at, value, (struct px_addr *)(void *)element, err);
    return px_json_read_fields(at, f->table, value, element, err);
}

static int list_field(const struct px_json_place *at, const struct px_json_field *f,
                      const json_t *value, char *record, struct px_err *err)
{
    char *elements = record + f->offset;
    if (px_json_read_list(at, value, f->max, err) != 0)
        return -1;
    size_t n = json_array_size(value);
    if (f->kind == PX_FIELD_HEAP && n > 0) {
        elements = px_xcalloc(n, f->size);
        memcpy(record + f->offset, &elements, sizeof(elements));
    }
    /* Counted before they are filled: zeroed ones are valid, and freed with the report on error. */
    count_write(record + f->count_offset, f->count_size, n);
    for (size_t i = 0; i < n; i++) {
        struct px_json_place here = {at, NULL, i};
        if (element_read(&here, f, json_array_get(value, i), elements + i * f->size, err) != 0)
            return -1;
    }
    return 0;
}

static reader *const readers[] = {
    [PX_FIELD_TEXT] = text_field,       [PX_FIELD_RAW] = raw_field,
    [PX_FIELD_STRING] = string_field,   [PX_FIELD_STRINGS] = strings_field,
    [PX_FIELD_BOOL] = bool_field,       [PX_FIELD_COUNT] = count_field,
    [PX_FIELD_ID] = id_field,           [PX_FIELD_LONG] = count_field,
    [PX_FIELD_NUMBER] = number_field,   [PX_FIELD_MS] = number_field,
    [PX_FIELD_SHARE] = number_field,    [PX_FIELD_TIME] = time_field,
    [PX_FIELD_ADDRESS] = address_field, [PX_FIELD_WORD] = word_field,
    [PX_FIELD_RECORD] = record_field,   [PX_FIELD_STAGES] = stages_field,
    [PX_FIELD_WORDS] = list_field,      [PX_FIELD_ADDRESSES] = list_field,
    [PX_FIELD_LIST] = list_field,       [PX_FIELD_HEAP] = list_field,
};
_Static_assert(sizeof(readers) / sizeof(readers[0]) == PX_FIELD_HEAP + 1, "every kind");

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables, which are constant */
int px_json_read_fields(const struct px_json_place *at, const struct px_json_table *table,
                        const json_t *object, void *record, struct px_err *err)
{
    if (px_json_read_kind(at, object, JSON_OBJECT, err) != 0)
        return -1;
    for (size_t i = 0; i < table->n; i++) {
        const struct px_json_field *f = &table->fields[i];
        struct px_json_place here = {at, f->name, 0};
        const json_t *value = json_object_get(object, f->name);
        if (value == NULL || json_is_null(value)) {
            if ((f->flags & PX_FIELD_REQUIRED) != 0)
                return px_json_fail(&here, err, "missing");
            continue;
        }
        if (f->ran_offset != 0)
            *((bool *)record + f->ran_offset) = true;
        if (readers[f->kind](&here, f, value, record, err) != 0)
            return -1;
    }
    return 0;
}
