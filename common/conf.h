/* SPDX-License-Identifier: MIT */
/*
 * YAML files as a tree that remembers where each thing stood, and a list of everything wrong with
 * it: readers report all errors of a file in one go, sorted by line, with source line and caret.
 */
#ifndef PX_COMMON_CONF_H
#define PX_COMMON_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define PX_CONF_BYTES_MAX (4u << 20)
#define PX_CONF_NODES_MAX 200000u
#define PX_CONF_DEPTH_MAX 32
#define PX_CONF_ERRORS_MAX 1000u /* kept and shown; all are counted */

enum px_conf_kind { PX_CONF_SCALAR, PX_CONF_LIST, PX_CONF_MAP };

struct px_conf_node {
    enum px_conf_kind kind;
    unsigned line, column; /* from 1 */
    unsigned width;        /* of the scalar in its line, for the caret */
    char *text;            /* scalar text; NULL otherwise; "" for nothing, ~ and null */
    bool quoted;           /* the scalar stood in quotes: "" is then a text */
    bool bad;              /* an error is recorded already: readers say nothing more */
    char *key;             /* this node's key in its parent map; NULL otherwise */
    unsigned key_line, key_column;
    bool used;                         /* set by px_conf_get; what stays unset is an unknown key */
    struct px_conf_node *first, *next; /* children, siblings */
};

struct px_conf;

/* Read and parse. NULL and err if the file cannot be read (code "no-file"); syntax errors and
 * duplicate keys are collected in the conf and seen by px_conf_errors. */
struct px_conf *px_conf_open(const char *path, struct px_err *err);
struct px_conf *px_conf_parse(const char *name, const char *text, size_t length);
void px_conf_free(struct px_conf *c);
struct px_conf_node *px_conf_root(struct px_conf *c); /* NULL for an empty or broken document */

/* Child of a map by key, marked used; NULL if absent or if map is not a map. */
struct px_conf_node *px_conf_get(struct px_conf_node *map, const char *key);
/* Record an error at a node (NULL = the file as a whole). hint may be NULL. */
void px_conf_error(struct px_conf *c, const struct px_conf_node *at, const char *hint,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Record "unknown key" for each unused child of a map, with a suggestion out of `known`. `where` is
 * the map's name for people (check "db"), NULL for the document itself. */
void px_conf_unknown_keys(struct px_conf *c, const struct px_conf_node *map, const char *where,
                          const char *const *known, size_t n);
/* Typed reading with the error recorded; return true if *out was set. Absent node = false, no
 * error. `what` begins the message: "check \"db\": every". */
bool px_conf_text(struct px_conf *c, const struct px_conf_node *n, const char *what,
                  const char **out);
bool px_conf_integer(struct px_conf *c, const struct px_conf_node *n, const char *what, int64_t min,
                     int64_t max, int64_t *out);
bool px_conf_duration(struct px_conf *c, const struct px_conf_node *n, const char *what,
                      int64_t min_ns, int64_t max_ns, int64_t *ns);
bool px_conf_boolean(struct px_conf *c, const struct px_conf_node *n, const char *what, bool *out);
/* One word of a fixed list; *out is its number. */
bool px_conf_choice(struct px_conf *c, const struct px_conf_node *n, const char *what,
                    const char *const *words, size_t count, int *out);

size_t px_conf_error_count(const struct px_conf *c);
/* All errors, sorted by line, each "name:line:col: error: ..." with source line, caret and hint,
 * and a closing "name: 7 errors" without newline, so that the caller can say what follows from it.
 * "" without errors. Heap string, caller frees. */
char *px_conf_errors(const struct px_conf *c);

#endif
