/* SPDX-License-Identifier: MIT */
/* plx explain WORD: what a word of a verdict means, how it is found, what it is mistaken for. */
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/explain.h"
#include "cli/out_text.h"
#include "common/text.h"

#define WORDS_MAX 256

static const struct flag_spec explain_flags[] = {
    {NULL, 0, NULL, NULL},
};

/* A family of words, all looked up in the same way. */
struct family {
    const char *title; /* "scope" */
    int count;
    int (*parse)(const char *word);
    const char *(*name)(int v);
    const char *(*meaning)(int v);
    const struct explain_text *(*text)(int v);
};

#define FAMILY(kind, enum_type, table)                                                             \
    static int kind##_parse(const char *word)                                                      \
    {                                                                                              \
        return px_##kind##_parse(word);                                                            \
    }                                                                                              \
    static const char *kind##_name(int v)                                                          \
    {                                                                                              \
        return px_##kind##_name((enum_type)v);                                                     \
    }                                                                                              \
    static const struct explain_text *kind##_text(int v)                                           \
    {                                                                                              \
        return &table;                                                                             \
    }

FAMILY(cause, enum px_cause, explain_causes[v].text)
FAMILY(code, enum px_code, explain_codes[v])
FAMILY(stage, enum px_stage, explain_stages[v])
FAMILY(scope, enum px_scope, explain_scopes[v])
FAMILY(status, enum px_status, explain_statuses[v])
FAMILY(certainty, enum px_certainty, explain_certainties[v])

static const char *cause_meaning(int v)
{
    return px_cause_meaning((enum px_cause)v);
}
static const char *code_meaning(int v)
{
    return px_code_meaning((enum px_code)v);
}
static const char *status_meaning(int v)
{
    return px_status_meaning((enum px_status)v);
}
static const char *certainty_meaning(int v)
{
    return px_certainty_meaning((enum px_certainty)v);
}

static const struct family families[] = {
    {"status", PX_STATUS_COUNT, status_parse, status_name, status_meaning, status_text},
    {"scope", PX_SCOPE_COUNT, scope_parse, scope_name, NULL, scope_text},
    {"certainty", PX_CERTAINTY_COUNT, certainty_parse, certainty_name, certainty_meaning,
     certainty_text},
    {"cause", PX_CAUSE_COUNT, cause_parse, cause_name, cause_meaning, cause_text},
    {"result code", PX_CODE_COUNT, code_parse, code_name, code_meaning, code_text},
    {"stage", PX_STAGE_COUNT, stage_parse, stage_name, NULL, stage_text},
};
#define FAMILY_COUNT (sizeof families / sizeof *families)

static void write_line(const struct cmd_env *env, const char *label, const char *text)
{
    if (text)
        out_paragraph(stdout, &env->out, label, 0, OUT_PLAIN, text);
}

static void explain_word(const struct cmd_env *env, const struct family *family, int v)
{
    const struct explain_text *text = family->text(v);
    out_toned(stdout, &env->out, OUT_BOLD, family->name(v));
    printf("   %s", family->title);
    if (family->text == cause_text)
        printf(" (%s)", px_scope_people(px_cause_scope((enum px_cause)v)));
    putchar('\n');
    write_line(env, "means", text->means ? text->means : family->meaning(v));
    write_line(env, "found by", text->detected);
    write_line(env, "alike", text->confused);
    write_line(env, "do", text->todo);
    if (text->later)
        write_line(env, "note", "this version does not look for it yet");
}

static const struct explain_topic *topic_find(const char *word)
{
    for (const struct explain_topic *topic = explain_topics; topic->word; topic++) {
        if (strcmp(topic->word, word) == 0)
            return topic;
    }
    return NULL;
}

/* Scopes are printed in other words than they are stored; both lead here. */
static int scope_of_people(const char *word)
{
    for (int v = 0; v < PX_SCOPE_COUNT; v++) {
        if (strcmp(px_scope_people((enum px_scope)v), word) == 0)
            return v;
    }
    return -1;
}

static size_t explain(const struct cmd_env *env, const char *word)
{
    size_t found = 0;
    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        int v = families[i].parse(word);
        if (v < 0 && families[i].parse == scope_parse)
            v = scope_of_people(word);
        if (v < 0)
            continue;
        if (found++)
            putchar('\n');
        explain_word(env, &families[i], v);
    }
    const struct explain_topic *topic = topic_find(word);
    if (topic) {
        if (found++)
            putchar('\n');
        out_toned(stdout, &env->out, OUT_BOLD, topic->word);
        printf("   %s\n%s", topic->title, topic->text);
    }
    return found;
}

static enum cmd_exit unknown_word(const struct cmd_env *env, const char *word)
{
    const char *words[WORDS_MAX];
    size_t n = 0;
    char safe[128];
    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        for (int v = 0; v < families[i].count && n < WORDS_MAX; v++)
            words[n++] = families[i].name(v);
    }
    for (const struct explain_topic *t = explain_topics; t->word && n < WORDS_MAX; t++)
        words[n++] = t->word;
    px_text_safe(word, 40, safe, sizeof safe);
    const char *near = px_text_suggest(word, words, n);
    if (near)
        return cmd_misuse(env, "no word \"%s\"; did you mean \"%s\"?", safe, near);
    return cmd_misuse(env, "no word \"%s\"; plx explain lists them", safe);
}

static void list_words(const struct cmd_env *env)
{
    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        char *line = px_xstrdup("");
        for (int v = 0; v < families[i].count; v++) {
            char *longer = px_xasprintf("%s%s%s", line, v ? " " : "", families[i].name(v));
            free(line);
            line = longer;
        }
        out_toned(stdout, &env->out, OUT_BOLD, families[i].title);
        putchar('\n');
        out_paragraph(stdout, &env->out, "", 0, OUT_PLAIN, line);
        free(line);
    }
    out_toned(stdout, &env->out, OUT_BOLD, "subjects");
    putchar('\n');
    for (const struct explain_topic *t = explain_topics; t->word; t++)
        printf("          %-10s %s\n", t->word, t->title);
}

static enum cmd_exit cmd_explain_run(struct cmd_env *env)
{
    enum cmd_exit code = CMD_YES;
    if (env->flags.word_count == 0)
        list_words(env);
    for (size_t i = 0; i < env->flags.word_count; i++) {
        if (i > 0)
            putchar('\n');
        if (explain(env, env->flags.words[i]) == 0)
            code = unknown_word(env, env->flags.words[i]);
    }
    return code;
}

const struct cmd cmd_explain_entry = {
    .name = "explain",
    .synopsis = "explain [WORD]...",
    .summary = "what a word means, how it is found, what to do",
    .examples = "  plx explain source-banned          a cause\n"
                "  plx explain no-answer refused      result codes\n"
                "  plx explain mesh                   what more vantages tell, how to start\n"
                "  plx explain                        all words",
    .flags = explain_flags,
    .run = cmd_explain_run,
};
