/* SPDX-License-Identifier: MIT */
/* Contexts: which coordinators this user knows, kept in one YAML file with a key file beside it. */
#ifndef PLX_CONTEXT_H
#define PLX_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/report.h"
#include "proto/keys.h"

#define CONTEXT_HOST_MAX 255
#define CONTEXT_PATH_MAX 1023
#define CONTEXTS_MAX 64

struct context {
    char name[PX_NAME_MAX + 1];
    char host[CONTEXT_HOST_MAX + 1]; /* of the coordinator, name or numeric, no brackets */
    uint16_t port;
    uint8_t server_key[KEY_BYTES];
    char key_file[CONTEXT_PATH_MAX + 1]; /* absolute once read */
    char identity[PX_NAME_MAX + 1];      /* what the coordinator calls us */
    char role[16];
    struct px_label labels[PX_LABELS_MAX]; /* of "here" when it takes part */
    uint32_t label_count;
};

struct contexts {
    char path[CONTEXT_PATH_MAX + 1];
    char current[PX_NAME_MAX + 1]; /* "" = none */
    struct context *v;
    size_t n;
    char *errors; /* everything wrong with the file, for people; NULL = nothing */
};

/* Where the file is: `flag` (--config), $PARALLAX_CONFIG, $XDG_CONFIG_HOME/parallax/config.yml,
 * ~/.config/parallax/config.yml. 0, or -1 and err. */
int contexts_path(const char *flag, char *out, size_t size, struct px_err *err);
/* Read the file; a missing one is empty. c is init'ed by the callee; clear it afterwards, also on
 * error. 0, or -1 and err (code "bad-config": c->errors tells all of it). */
int contexts_open(struct contexts *c, const char *path, struct px_err *err);
/* Make the folder it lies in (0700). 0, or -1 and err. */
int contexts_prepare(const struct contexts *c, struct px_err *err);
/* Write it atomically with mode 0600, making its folder. 0, or -1 and err. */
int contexts_save(const struct contexts *c, struct px_err *err);
void contexts_clear(struct contexts *c);

struct context *contexts_find(const struct contexts *c, const char *name);
/* Replace the one of that name, or append. */
void contexts_add(struct contexts *c, const struct context *one);
void contexts_remove(struct contexts *c, const char *name);
/* "DIR/<name>.key" beside the file. */
void contexts_key_file(const struct contexts *c, const char *name, char *out, size_t size);

/* The context to use: `flag` (--context), $PARALLAX_CONTEXT, the current one; then
 * $PARALLAX_COORDINATOR (host:port) and $PARALLAX_KEY_FILE override its parts. 1 and *out, 0 if
 * there is none, -1 and err. */
int contexts_choose(const struct contexts *c, const char *flag, struct context *out,
                    struct px_err *err);
/* "host:port", IPv6 in brackets. out: CONTEXT_HOST_MAX + 10 bytes. Returns out. */
#define CONTEXT_ADDRESS_TEXT (CONTEXT_HOST_MAX + 10)
char *context_address(const struct context *c, char *out);

#endif
