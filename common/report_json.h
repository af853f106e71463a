/* SPDX-License-Identifier: MIT */
/*
 * Only for report_json*.c: the schema "parallax.run/1" as tables. One row says how a member of a
 * record is called in JSON, so that writing and reading cannot drift apart. A record whose REQUIRED
 * member is unknown is absent; other unknown members are left out.
 */
#ifndef PX_COMMON_REPORT_JSON_H
#define PX_COMMON_REPORT_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/report.h"

#define PX_REPORT_SCHEMA "parallax.run/1"

enum px_field_kind {
    PX_FIELD_TEXT,      /* char[size]; bytes that are not UTF-8 become '?' */
    PX_FIELD_RAW,       /* char[size], any bytes but NUL: as \xNN and \\ inside the JSON string */
    PX_FIELD_STRING,    /* char *, NULL = unknown */
    PX_FIELD_STRINGS,   /* struct px_strs */
    PX_FIELD_BOOL,      /* bool */
    PX_FIELD_COUNT,     /* unsigned of 1, 2 or 4 bytes */
    PX_FIELD_ID,        /* uint64_t as decimal text: JSON readers lose bits beyond 2^53 */
    PX_FIELD_LONG,      /* int64_t, >= 0 */
    PX_FIELD_NUMBER,    /* double */
    PX_FIELD_MS,        /* double, < 0 unknown */
    PX_FIELD_SHARE,     /* double, 0..1 */
    PX_FIELD_TIME,      /* px_wall, 0 unknown; milliseconds are kept */
    PX_FIELD_ADDRESS,   /* struct px_addr, family 0 unknown */
    PX_FIELD_WORD,      /* enum of vocabulary `vocab` */
    PX_FIELD_RECORD,    /* struct described by `table`; may be the parent itself (offset 0) */
    PX_FIELD_STAGES,    /* double[PX_STAGE_COUNT], < 0 unknown, as {stage: ms} */
    PX_FIELD_WORDS,     /* enum[max], count beside it */
    PX_FIELD_ADDRESSES, /* struct px_addr[max], count beside it */
    PX_FIELD_LIST,      /* struct[max] of `size` bytes each, count beside it */
    PX_FIELD_HEAP       /* struct * of `size` bytes each, size_t count beside it, at most `max` */
};

enum px_field_flag {
    PX_FIELD_REQUIRED = 1,
    PX_FIELD_ALWAYS = 2, /* written even when false, zero or empty; REQUIRED implies it */
    PX_FIELD_NULL = 4    /* written as null when unknown */
};

struct px_json_field {
    const char *name;
    enum px_field_kind kind;
    unsigned flags;
    size_t offset, size; /* of the member in its record; for lists the size of one element */
    size_t max;
    size_t count_offset, count_size;
    size_t ran_offset; /* of a bool that is true iff the member is there; 0 = none */
    enum px_vocab vocab;
    const struct px_json_table *table;
};

struct px_json_table {
    const struct px_json_field *fields;
    size_t n;
};

/* The plain members; what needs a second look is done by hand around them. */
extern const struct px_json_table px_json_report;
extern const struct px_json_table px_json_vantage;
extern const struct px_json_table px_json_result;
extern const struct px_json_table px_json_control; /* the short form of controls[] */
extern const struct px_json_table px_json_verdict; /* of a struct px_report, too */

/* Where in the document we are; printed only when something is wrong there. */
struct px_json_place {
    const struct px_json_place *up;
    const char *key; /* NULL: element `index` of a list */
    size_t index;
};

/* Reading, with errors (code "bad-document") that begin with the place. All return 0, or -1 and
 * err; px_json_fail always -1. */
int px_json_fail(const struct px_json_place *at, struct px_err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int px_json_read_kind(const struct px_json_place *at, const json_t *value, json_type type,
                      struct px_err *err);
/* *text points into value. */
int px_json_read_text(const struct px_json_place *at, const json_t *value, size_t max,
                      const char **text, struct px_err *err);
int px_json_read_count(const struct px_json_place *at, const json_t *value, uint64_t max,
                       uint64_t *out, struct px_err *err);
int px_json_read_list(const struct px_json_place *at, const json_t *value, size_t max,
                      struct px_err *err);
int px_json_read_strings(const struct px_json_place *at, const json_t *value,
                         struct px_strs *strings, struct px_err *err);
int px_json_read_address(const struct px_json_place *at, const json_t *value, struct px_addr *out,
                         struct px_err *err);
/* Fill those members of record that object has. */
int px_json_read_fields(const struct px_json_place *at, const struct px_json_table *table,
                        const json_t *object, void *record, struct px_err *err);

#endif
