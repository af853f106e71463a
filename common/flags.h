/* SPDX-License-Identifier: MIT */
/* Command-line flags from tables: the same rows parse, complain and write the help. */
#ifndef PX_COMMON_FLAGS_H
#define PX_COMMON_FLAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct flag_spec {
    const char *name;  /* long name without dashes; NULL ends a table */
    char letter;       /* 0 = no short form */
    const char *value; /* what its value is called in the help; NULL = a switch */
    const char *help;
};

struct flag_given {
    const struct flag_spec *spec;
    const char *value; /* borrowed from argv; NULL for a switch */
};

/* What stood on the command line, in order. Texts are borrowed from argv. */
struct flags {
    struct flag_given *given;
    size_t given_count;
    const char **words; /* everything that is no flag */
    size_t word_count;
};

void flags_init(struct flags *f);
void flags_clear(struct flags *f);
/* Append what argv[0..argc) holds to f. Flags are looked up in both tables (each may be NULL); "--"
 * ends them, "-" is a word. With only_front, stop before the first word. Returns how many arguments
 * were used, or -1 and err (code "bad-flag"). */
int flags_parse(struct flags *f, const struct flag_spec *own, const struct flag_spec *global,
                int argc, char **argv, bool only_front, struct px_err *err);

bool flags_has(const struct flags *f, const char *name);
/* The value given last; NULL if the flag was not given. */
const char *flags_text(const struct flags *f, const char *name);
/* A duration or a whole number within limits; *out stays as it is if the flag was not given.
 * 0, or -1 and err (code "bad-flag"). */
int flags_duration(const struct flags *f, const char *name, int64_t min_ns, int64_t max_ns,
                   int64_t *out, struct px_err *err);
int flags_integer(const struct flags *f, const char *name, long min, long max, long *out,
                  struct px_err *err);
/* "22" or "2222,22022" -> ports; at most max of them. Returns their number, 0 if not given, -1 and
 * err. */
int flags_ports(const struct flags *f, const char *name, uint16_t *ports, int max,
                struct px_err *err);

#endif
