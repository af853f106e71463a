/* SPDX-License-Identifier: MIT */
/* Words to values and back, out of vocab.def. Every table is generated; none is written by hand. */
#include "common/vocab.h"

#include <stddef.h>
#include <string.h>

static const char *const scope_words[] = {
#define PX_SCOPE(ID, word, people) word,
#include "common/vocab.def"
};
static const char *const scope_people[] = {
#define PX_SCOPE(ID, word, people) people,
#include "common/vocab.def"
};
static const char *const certainty_words[] = {
#define PX_CERTAINTY(ID, word, meaning) word,
#include "common/vocab.def"
};
static const char *const certainty_meanings[] = {
#define PX_CERTAINTY(ID, word, meaning) meaning,
#include "common/vocab.def"
};
static const char *const status_words[] = {
#define PX_STATUS(ID, word, meaning) word,
#include "common/vocab.def"
};
static const char *const status_meanings[] = {
#define PX_STATUS(ID, word, meaning) meaning,
#include "common/vocab.def"
};
static const char *const stage_words[] = {
#define PX_STAGE(ID, word, ladder) word,
#include "common/vocab.def"
};
static const bool stage_ladder[] = {
#define PX_STAGE(ID, word, ladder) ladder,
#include "common/vocab.def"
};
static const char *const code_words[] = {
#define PX_CODE(ID, word, kind, meaning) word,
#include "common/vocab.def"
};
static const char *const code_meanings[] = {
#define PX_CODE(ID, word, kind, meaning) meaning,
#include "common/vocab.def"
};
static const enum px_code_kind code_kinds[] = {
#define PX_CODE(ID, word, kind, meaning) PX_KIND_##kind,
#include "common/vocab.def"
};
static const char *const cause_words[] = {
#define PX_CAUSE(ID, word, scope, meaning) word,
#include "common/vocab.def"
};
static const char *const cause_meanings[] = {
#define PX_CAUSE(ID, word, scope, meaning) meaning,
#include "common/vocab.def"
};
static const enum px_scope cause_scopes[] = {
#define PX_CAUSE(ID, word, scope, meaning) PX_SCOPE_##scope,
#include "common/vocab.def"
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

_Static_assert(COUNT(scope_words) == PX_SCOPE_COUNT, "one word per scope");
_Static_assert(COUNT(certainty_words) == PX_CERTAINTY_COUNT, "one word per certainty");
_Static_assert(COUNT(status_words) == PX_STATUS_COUNT, "one word per status");
_Static_assert(COUNT(stage_words) == PX_STAGE_COUNT, "one word per stage");
_Static_assert(COUNT(code_words) == PX_CODE_COUNT, "one word per code");
_Static_assert(COUNT(cause_words) == PX_CAUSE_COUNT, "one word per cause");

static const struct {
    const char *const *words;
    size_t n;
    const char *noun;
} vocabularies[] = {
    [PX_VOCAB_SCOPE] = {scope_words, COUNT(scope_words), "scope"},
    [PX_VOCAB_CERTAINTY] = {certainty_words, COUNT(certainty_words), "certainty"},
    [PX_VOCAB_STATUS] = {status_words, COUNT(status_words), "status"},
    [PX_VOCAB_STAGE] = {stage_words, COUNT(stage_words), "stage"},
    [PX_VOCAB_CODE] = {code_words, COUNT(code_words), "code"},
    [PX_VOCAB_CAUSE] = {cause_words, COUNT(cause_words), "cause"},
};

static const char *pick(const char *const *words, size_t n, size_t value)
{
    return value < n ? words[value] : "?";
}

static int find(enum px_vocab which, const char *word)
{
    if (word == NULL)
        return -1;
    for (size_t i = 0; i < vocabularies[which].n; i++) {
        if (strcmp(vocabularies[which].words[i], word) == 0)
            return (int)i;
    }
    return -1;
}

const char *const *px_vocab_words(enum px_vocab which, size_t *n)
{
    *n = vocabularies[which].n;
    return vocabularies[which].words;
}

const char *px_vocab_noun(enum px_vocab which)
{
    return vocabularies[which].noun;
}

const char *px_scope_name(enum px_scope v)
{
    return pick(scope_words, COUNT(scope_words), v);
}

const char *px_scope_people(enum px_scope v)
{
    return pick(scope_people, COUNT(scope_people), v);
}

const char *px_certainty_name(enum px_certainty v)
{
    return pick(certainty_words, COUNT(certainty_words), v);
}

const char *px_status_name(enum px_status v)
{
    return pick(status_words, COUNT(status_words), v);
}

const char *px_stage_name(enum px_stage v)
{
    return pick(stage_words, COUNT(stage_words), v);
}

const char *px_code_name(enum px_code v)
{
    return pick(code_words, COUNT(code_words), v);
}

const char *px_cause_name(enum px_cause v)
{
    return pick(cause_words, COUNT(cause_words), v);
}

const char *px_code_meaning(enum px_code v)
{
    return pick(code_meanings, COUNT(code_meanings), v);
}

const char *px_cause_meaning(enum px_cause v)
{
    return pick(cause_meanings, COUNT(cause_meanings), v);
}

const char *px_status_meaning(enum px_status v)
{
    return pick(status_meanings, COUNT(status_meanings), v);
}

const char *px_certainty_meaning(enum px_certainty v)
{
    return pick(certainty_meanings, COUNT(certainty_meanings), v);
}

enum px_code_kind px_code_kind(enum px_code v)
{
    return (size_t)v < COUNT(code_kinds) ? code_kinds[v] : PX_KIND_NONE;
}

enum px_scope px_cause_scope(enum px_cause v)
{
    return (size_t)v < COUNT(cause_scopes) ? cause_scopes[v] : PX_SCOPE_NONE;
}

bool px_stage_is_ladder(enum px_stage v)
{
    return (size_t)v < COUNT(stage_ladder) && stage_ladder[v];
}

int px_scope_parse(const char *word)
{
    return find(PX_VOCAB_SCOPE, word);
}

int px_certainty_parse(const char *word)
{
    return find(PX_VOCAB_CERTAINTY, word);
}

int px_status_parse(const char *word)
{
    return find(PX_VOCAB_STATUS, word);
}

int px_stage_parse(const char *word)
{
    return find(PX_VOCAB_STAGE, word);
}

int px_code_parse(const char *word)
{
    return find(PX_VOCAB_CODE, word);
}

int px_cause_parse(const char *word)
{
    return find(PX_VOCAB_CAUSE, word);
}
