/* SPDX-License-Identifier: MIT */
/* Reading flags; what they mean is main's business. */
#include "coordinator/args.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"

static int unknown_flag(const struct args_spec *spec, const char *word, struct px_err *err)
{
    const char *names[ARGS_MAX];
    char safe[256], name[64];
    size_t n = 0;
    for (; spec->flags[n].name; n++)
        names[n] = spec->flags[n].name;
    px_text_safe(word, 60, safe, sizeof safe);
    if (strncmp(word, "--", 2) != 0)
        return px_err_set(err, "bad-flag", "%s: \"%s\" is not a flag; all values have names",
                          spec->command, safe);
    px_text_copy(name, sizeof name, word + 2);
    name[strcspn(name, "=")] = '\0';
    safe[strcspn(safe, "=")] = '\0';
    const char *near = px_text_suggest(name, names, n);
    return near ? px_err_set(err, "bad-flag", "%s: no flag \"%s\"; did you mean \"--%s\"?",
                             spec->command, safe, near)
                : px_err_set(err, "bad-flag", "%s: no flag \"%s\"", spec->command, safe);
}

/* Index of the flag that word names, -1 if none; *value is what stands after "=", or NULL. */
static int flag_find(const struct args_spec *spec, const char *word, const char **value)
{
    size_t length = strcspn(word, "=");
    *value = word[length] ? word + length + 1 : NULL;
    for (int i = 0; spec->flags[i].name && strncmp(word, "--", 2) == 0; i++)
        if (strlen(spec->flags[i].name) == length - 2 &&
            memcmp(spec->flags[i].name, word + 2, length - 2) == 0)
            return i;
    return -1;
}

int args_parse(const struct args_spec *spec, int argc, char **argv, const char *values[ARGS_MAX],
               struct px_err *err)
{
    memset(values, 0, ARGS_MAX * sizeof *values);
    for (int i = 0; i < argc; i++) {
        const char *value;
        int flag = flag_find(spec, argv[i], &value);
        if (flag < 0)
            return unknown_flag(spec, argv[i], err);
        if (!value && ++i < argc)
            value = argv[i];
        if (!value || !*value)
            return px_err_set(err, "bad-flag", "%s: --%s needs a value: %s", spec->command,
                              spec->flags[flag].name, spec->flags[flag].value);
        if (values[flag])
            return px_err_set(err, "bad-flag", "%s: --%s is given twice", spec->command,
                              spec->flags[flag].name);
        values[flag] = value;
    }
    return 0;
}

int args_parse_number(const char *flag, const char *text, uint32_t min, uint32_t max, uint32_t *out,
                      struct px_err *err)
{
    char *end = NULL, safe[128];
    unsigned long long n = strtoull(text, &end, 10);
    if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && n >= min && n <= max) {
        *out = (uint32_t)n;
        return 0;
    }
    return px_err_set(err, "bad-flag", "--%s must be a whole number from %u to %u, got \"%s\"",
                      flag, (unsigned)min, (unsigned)max,
                      px_text_safe(text, 30, safe, sizeof safe));
}
