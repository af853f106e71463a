/* SPDX-License-Identifier: MIT */
/* What the operator of a node has said, on the command line and in the file of --config. */
#ifndef PX_NODE_SETTINGS_H
#define PX_NODE_SETTINGS_H

#include "common/err.h"
#include "common/report.h"
#include "probe-node/budget.h"
#include "probe-node/policy.h"
#include "probe-node/prober.h"
#include "proto/keys.h"

struct settings {
    const char *state;
    char name[PX_NAME_MAX + 1]; /* "" = as joined, else the host's name */
    struct px_label labels[PX_LABELS_MAX];
    uint32_t label_count;
    uint32_t labels_of_flags; /* so many of them stood on the command line; they go first */
    struct prober_options prober;
    struct budget_limits budget;
    struct policy policy;
    struct token token; /* valid if has_token */
    bool has_token;
};

void settings_init(struct settings *s);
/* "asn=64496" or a tag. 0, or -1 and err. */
int settings_add_label(struct settings *s, const char *text, struct px_err *err);
/* "host:port". 0, or -1 and err. */
int settings_add_reference(struct settings *s, const char *text, struct px_err *err);
int settings_set_name(struct settings *s, const char *name, struct px_err *err);
/* Read the YAML file, after the flags, which go before it. Everything wrong with it is printed to
 * stderr at once, then -1 and a short err. */
int settings_read_file(struct settings *s, const char *path, struct px_err *err);

#endif
