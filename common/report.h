/* SPDX-License-Identifier: MIT */
/*
 * One question and everything it learned: the record behind the JSON document "parallax.run/1",
 * which `plx check -o json` prints, the store keeps, and `plx diagnose FILE` judges again.
 */
#ifndef PX_COMMON_REPORT_H
#define PX_COMMON_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/observation.h"
#include "common/verdict.h"

#define PX_NAME_MAX 63 /* vantage names: [a-z0-9][a-z0-9._-]*, at most so long */
#define PX_LABELS_MAX 16
#define PX_LABEL_MAX 63

struct px_label {
    char key[PX_LABEL_MAX + 1];
    char value[PX_LABEL_MAX + 1]; /* "" = a tag */
};

enum px_presence { PX_PRESENT, PX_AWAY };

/* A vantage as the run knew it. */
struct px_vantage {
    char name[PX_NAME_MAX + 1];
    struct px_label labels[PX_LABELS_MAX];
    uint32_t label_count;
    struct px_addr seen_as; /* source address as the coordinator sees it; family 0 unknown */
    enum px_presence presence;
    px_wall last_seen; /* 0 unknown */
};

struct px_report {
    char id[PX_ID_TEXT];
    px_wall started;
    double took_ms;
    uint32_t rounds;
    enum px_stage depth;
    struct px_target target;
    bool finished; /* false while it is still being asked */
    struct px_vantage *vantages;
    size_t vantage_count;
    struct px_observation *observations; /* in order of arrival */
    size_t observation_count;
    struct px_strs abstained; /* vantage names left out by the judge */
    struct px_strs notes;     /* lines for people: "showing results of 4s ago; ..." */
    struct px_verdict verdict;
    size_t vantage_room, observation_room; /* of px_report_add_*; nobody else's */
};

void px_report_init(struct px_report *r);
void px_report_clear(struct px_report *r);
/* Append a zeroed vantage / a copy of o; returned pointer valid until the next append. */
struct px_vantage *px_report_add_vantage(struct px_report *r, const char *name);
struct px_observation *px_report_add_observation(struct px_report *r,
                                                 const struct px_observation *o);
/* Index, or -1. */
int px_report_find_vantage(const struct px_report *r, const char *name);
/* Value of a label, "" for a tag, NULL if absent. */
const char *px_vantage_label(const struct px_vantage *v, const char *key);
/* What the NETWORK column shows: label network, else asn as "AS64496", else "-". out: PX_LABEL_MAX
 * + 3. */
char *px_vantage_network(const struct px_vantage *v, char *out);
/* Same network in the sense of the vocabulary: asn, else network label, else /16 or /32 of seen_as.
 * Vantages behind one egress address are always the same network. */
bool px_vantage_same_network(const struct px_vantage *a, const struct px_vantage *b);
bool px_name_valid(const char *name);

/* A fresh ULID (time-ordered, 26 characters) for a run. out: PX_ID_TEXT bytes. */
char *px_id_new(px_wall now, char *out);

/*
 * JSON document "parallax.run/1". encode: heap string, caller frees (free); pretty = indented.
 * decode: strict, at most PX_REPORT_JSON_MAX bytes and the list lengths below, fills r (init'ed by
 * the callee; clear it afterwards, also on error). The verdict is read too. 0, or -1 and err (code
 * "bad-document") that names the place. Unknown fields are ignored, unknown words are errors.
 *
 * Every member of the record is a field; times keep milliseconds. Fields that repeat others, so
 * that a result can be read alone (network, labels, seen_as, family, tries, control of a result;
 * the counts of coverage), are only read where the fuller form is missing.
 *
 * banner and text may hold any bytes. There, and only there, a backslash is written as \\ and a
 * byte that is not part of valid UTF-8 as \xNN, both inside the JSON string; other text has such
 * bytes replaced by "?".
 */
#define PX_REPORT_JSON_MAX (64u << 20)
#define PX_REPORT_VANTAGES_MAX 10000u
#define PX_REPORT_RESULTS_MAX 40000u
#define PX_REPORT_LIST_MAX 256u      /* findings; evidence, next steps... of one finding */
#define PX_REPORT_STRINGS_MAX 10000u /* names or lines in one list */
#define PX_REPORT_STRING_MAX 65536u  /* bytes of one line for people */
char *px_report_encode_json(const struct px_report *r, bool pretty);
int px_report_decode_json(const char *text, size_t length, struct px_report *r, struct px_err *err);

#endif
