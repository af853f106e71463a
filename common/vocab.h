/* SPDX-License-Identifier: MIT */
/* The product's words as enums, generated from vocab.def; names in both directions. */
#ifndef PX_COMMON_VOCAB_H
#define PX_COMMON_VOCAB_H

#include <stdbool.h>
#include <stddef.h>

enum px_scope {
#define PX_SCOPE(ID, word, people) PX_SCOPE_##ID,
#include "common/vocab.def"
    PX_SCOPE_COUNT
};

enum px_certainty {
#define PX_CERTAINTY(ID, word, meaning) PX_CERTAINTY_##ID,
#include "common/vocab.def"
    PX_CERTAINTY_COUNT
};

enum px_status {
#define PX_STATUS(ID, word, meaning) PX_STATUS_##ID,
#include "common/vocab.def"
    PX_STATUS_COUNT
};

enum px_stage {
#define PX_STAGE(ID, word, ladder) PX_STAGE_##ID,
#include "common/vocab.def"
    PX_STAGE_COUNT
};

enum px_code {
#define PX_CODE(ID, word, kind, meaning) PX_CODE_##ID,
#include "common/vocab.def"
    PX_CODE_COUNT
};

enum px_cause {
#define PX_CAUSE(ID, word, scope, meaning) PX_CAUSE_##ID,
#include "common/vocab.def"
    PX_CAUSE_COUNT
};

/* What a code says: nothing, success, a fact about target or path, or only about the vantage. */
enum px_code_kind { PX_KIND_NONE, PX_KIND_OK, PX_KIND_FAIL, PX_KIND_VANTAGE };

/* The word of an enum value; a value out of range gives "?". Static strings. */
const char *px_scope_name(enum px_scope v);
const char *px_scope_people(enum px_scope v);
const char *px_certainty_name(enum px_certainty v);
const char *px_status_name(enum px_status v);
const char *px_stage_name(enum px_stage v);
const char *px_code_name(enum px_code v);
const char *px_cause_name(enum px_cause v);

/* One line on what the word means. Static strings. */
const char *px_code_meaning(enum px_code v);
const char *px_cause_meaning(enum px_cause v);
const char *px_status_meaning(enum px_status v);
const char *px_certainty_meaning(enum px_certainty v);

enum px_code_kind px_code_kind(enum px_code v);
enum px_scope px_cause_scope(enum px_cause v);
bool px_stage_is_ladder(enum px_stage v);

/* Exact word -> value; -1 if there is no such word. */
int px_scope_parse(const char *word);
int px_certainty_parse(const char *word);
int px_status_parse(const char *word);
int px_stage_parse(const char *word);
int px_code_parse(const char *word);
int px_cause_parse(const char *word);

/* All words of one kind in order of their values, and what one of them is called ("code"), for
 * lists and suggestions. Static. */
enum px_vocab {
    PX_VOCAB_SCOPE,
    PX_VOCAB_CERTAINTY,
    PX_VOCAB_STATUS,
    PX_VOCAB_STAGE,
    PX_VOCAB_CODE,
    PX_VOCAB_CAUSE
};
const char *const *px_vocab_words(enum px_vocab which, size_t *n);
const char *px_vocab_noun(enum px_vocab which);

#endif
