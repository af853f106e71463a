/* SPDX-License-Identifier: MIT */
/*
 * Reads argv by the tables of flags.h. Knows no command and no default; every complaint says what
 * was wrong and what would have been right.
 */
#include "common/flags.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/text.h"

#define FLAGS_SUGGEST_MAX 64

void flags_init(struct flags *f)
{
    memset(f, 0, sizeof *f);
}

void flags_clear(struct flags *f)
{
    free(f->given);
    free(f->words);
    flags_init(f);
}

static void flags_add(struct flags *f, const struct flag_spec *spec, const char *value)
{
    f->given = px_xrealloc(f->given, f->given_count + 1, sizeof *f->given);
    f->given[f->given_count++] = (struct flag_given){spec, value};
}

static void flags_add_word(struct flags *f, const char *word)
{
    f->words = px_xrealloc(f->words, f->word_count + 1, sizeof *f->words);
    f->words[f->word_count++] = word;
}

static const struct flag_spec *flags_find_long(const struct flag_spec *table, const char *name,
                                               size_t length)
{
    for (; table && table->name; table++) {
        if (strlen(table->name) == length && memcmp(table->name, name, length) == 0)
            return table;
    }
    return NULL;
}

static const struct flag_spec *flags_find_letter(const struct flag_spec *table, char letter)
{
    for (; table && table->name; table++) {
        if (table->letter == letter)
            return table;
    }
    return NULL;
}

static int flags_unknown(const char *name, const struct flag_spec *own,
                         const struct flag_spec *global, struct px_err *err)
{
    const char *names[FLAGS_SUGGEST_MAX];
    size_t n = 0;
    for (; own && own->name && n < FLAGS_SUGGEST_MAX; own++)
        names[n++] = own->name;
    for (; global && global->name && n < FLAGS_SUGGEST_MAX; global++)
        names[n++] = global->name;
    char safe[128];
    px_text_safe(name, 40, safe, sizeof safe);
    const char *near = px_text_suggest(name, names, n);
    if (near)
        return px_err_set(err, "bad-flag", "no flag \"--%s\"; did you mean \"--%s\"?", safe, near);
    px_err_set(err, "bad-flag", "no flag \"--%s\"", safe);
    return px_err_hint(err, "--help lists the flags of a command");
}

static int flags_needs_value(const struct flag_spec *spec, struct px_err *err)
{
    return px_err_set(err, "bad-flag", "--%s needs a value: --%s %s", spec->name, spec->name,
                      spec->value);
}

/* "--name", "--name value", "--name=value": how many arguments it took, or -1. */
static int flags_parse_long(struct flags *f, const struct flag_spec *own,
                            const struct flag_spec *global, int argc, char **argv,
                            struct px_err *err)
{
    const char *name = argv[0] + 2;
    size_t length = strcspn(name, "=");
    const struct flag_spec *spec = flags_find_long(own, name, length);
    if (!spec)
        spec = flags_find_long(global, name, length);
    if (!spec) {
        char *bare = px_xasprintf("%.*s", (int)length, name);
        flags_unknown(bare, own, global, err);
        free(bare);
        return -1;
    }
    if (!spec->value) {
        if (name[length] == '=')
            return px_err_set(err, "bad-flag", "--%s takes no value", spec->name);
        flags_add(f, spec, NULL);
        return 1;
    }
    if (name[length] == '=') {
        if (!name[length + 1])
            return flags_needs_value(spec, err);
        flags_add(f, spec, name + length + 1);
        return 1;
    }
    if (argc < 2 || strncmp(argv[1], "--", 2) == 0)
        return flags_needs_value(spec, err);
    flags_add(f, spec, argv[1]);
    return 2;
}

/* "-v", "-o json", "-ojson": how many arguments it took, or -1. */
static int flags_parse_short(struct flags *f, const struct flag_spec *own,
                             const struct flag_spec *global, int argc, char **argv,
                             struct px_err *err)
{
    const char *rest = argv[0] + 1;
    while (*rest) {
        const struct flag_spec *spec = flags_find_letter(own, *rest);
        if (!spec)
            spec = flags_find_letter(global, *rest);
        if (!spec) {
            char safe[64];
            px_text_safe(argv[0], 20, safe, sizeof safe);
            px_err_set(err, "bad-flag", "no flag \"%s\"", safe);
            return px_err_hint(err, "--help lists the flags of a command");
        }
        rest++;
        if (!spec->value) {
            flags_add(f, spec, NULL);
            continue;
        }
        if (*rest) {
            flags_add(f, spec, rest + (*rest == '='));
            return 1;
        }
        if (argc < 2 || strncmp(argv[1], "--", 2) == 0)
            return flags_needs_value(spec, err);
        flags_add(f, spec, argv[1]);
        return 2;
    }
    return 1;
}

int flags_parse(struct flags *f, const struct flag_spec *own, const struct flag_spec *global,
                int argc, char **argv, bool only_front, struct px_err *err)
{
    int i = 0;
    while (i < argc) {
        const char *arg = argv[i];
        int used;
        if (strcmp(arg, "--") == 0) {
            for (i++; i < argc; i++)
                flags_add_word(f, argv[i]);
            return argc;
        }
        if (arg[0] != '-' || !arg[1]) {
            if (only_front)
                return i;
            flags_add_word(f, arg);
            used = 1;
        } else if (arg[1] == '-') {
            used = flags_parse_long(f, own, global, argc - i, argv + i, err);
        } else {
            used = flags_parse_short(f, own, global, argc - i, argv + i, err);
        }
        if (used < 0)
            return -1;
        i += used;
    }
    return i;
}

static const struct flag_given *flags_last(const struct flags *f, const char *name)
{
    for (size_t i = f->given_count; i-- > 0;) {
        if (strcmp(f->given[i].spec->name, name) == 0)
            return &f->given[i];
    }
    return NULL;
}

bool flags_has(const struct flags *f, const char *name)
{
    return flags_last(f, name) != NULL;
}

const char *flags_text(const struct flags *f, const char *name)
{
    const struct flag_given *given = flags_last(f, name);
    return given ? given->value : NULL;
}

int flags_duration(const struct flags *f, const char *name, int64_t min_ns, int64_t max_ns,
                   int64_t *out, struct px_err *err)
{
    const char *text = flags_text(f, name);
    if (!text)
        return 0;
    char what[64], low[PX_DURATION_TEXT], high[PX_DURATION_TEXT];
    snprintf(what, sizeof what, "--%s", name);
    int64_t ns;
    if (px_duration_parse(what, text, &ns, err) != 0)
        return -1;
    if (ns < min_ns || ns > max_ns)
        return px_err_set(err, "bad-flag", "--%s %s is not between %s and %s", name, text,
                          px_duration_format(min_ns, low), px_duration_format(max_ns, high));
    *out = ns;
    return 0;
}

/* A whole decimal number and nothing else. */
static bool number_parse(const char *text, long *out)
{
    char *end;
    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    *out = strtol(text, &end, 10);
    return errno == 0 && *end == '\0';
}

int flags_integer(const struct flags *f, const char *name, long min, long max, long *out,
                  struct px_err *err)
{
    const char *text = flags_text(f, name);
    if (!text)
        return 0;
    long value;
    if (!number_parse(text, &value) || value < min || value > max) {
        char safe[64];
        px_text_safe(text, 20, safe, sizeof safe);
        return px_err_set(err, "bad-flag", "--%s %s is not a whole number from %ld to %ld", name,
                          safe, min, max);
    }
    *out = value;
    return 0;
}

int flags_ports(const struct flags *f, const char *name, uint16_t *ports, int max,
                struct px_err *err)
{
    const char *text = flags_text(f, name);
    int n = 0;
    while (text) {
        size_t length = strcspn(text, ",");
        char item[32], safe[64];
        long value = 0;
        snprintf(item, sizeof item, "%.*s", (int)(length > 30 ? 30 : length), text);
        px_text_safe(item, 20, safe, sizeof safe);
        if (!number_parse(item, &value))
            return px_err_set(err, "bad-port", "--%s: \"%s\" is not a port number", name, safe);
        if (value < 1 || value > 65535)
            return px_err_set(err, "bad-port", "port %s is not between 1 and 65535", safe);
        if (n == max)
            return px_err_set(err, "bad-flag", "--%s takes at most %d ports", name, max);
        ports[n++] = (uint16_t)value;
        text = text[length] == ',' ? text + length + 1 : NULL;
    }
    return n;
}
