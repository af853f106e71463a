/* SPDX-License-Identifier: MIT */
/* Only for conf*.c: what stands behind a struct px_conf. */
#ifndef PX_COMMON_CONF_TREE_H
#define PX_COMMON_CONF_TREE_H

#include "common/conf.h"

struct px_conf_fault {
    unsigned line, column, width; /* line 0 = the file as a whole */
    size_t order;                 /* of recording, among those of one place */
    char *message;
    char *hint; /* NULL = none */
};

struct px_conf {
    char *name;
    char *text; /* the whole file, for the source lines of errors; NULL if it was too large */
    size_t length;
    struct px_conf_node *root;
    struct px_conf_node **nodes; /* all of them, also those outside of the tree; owned */
    size_t node_count, node_room;
    struct px_conf_fault *errors;
    size_t error_kept, error_count;
};

#endif
