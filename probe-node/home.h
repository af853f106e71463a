/* SPDX-License-Identifier: MIT */
/*
 * The node's state directory: its key, and which mesh it belongs to. Nothing else is kept there
 * but the politeness budget (budget.h).
 */
#ifndef PX_NODE_HOME_H
#define PX_NODE_HOME_H

#include "common/err.h"
#include "common/report.h"
#include "proto/keys.h"

#define HOME_PATH_MAX 4096

/* The coordinator a node has joined. */
struct membership {
    char host[256];
    uint16_t port;
    uint8_t server_key[KEY_BYTES];
    char name[PX_NAME_MAX + 1];
};

/* dir/file into out (HOME_PATH_MAX bytes). 0, or -1 and err. */
int home_path(const char *dir, const char *file, char *out, struct px_err *err);
/* Make the directory (mode 0700) unless it is there. 0, or -1 and err. */
int home_open(const char *dir, struct px_err *err);
/* Keep other nodes off the directory while the returned descriptor is open. -1 and err if one is
 * at work there. */
int home_lock(const char *dir, struct px_err *err);
/* 1 if there is one and it was read, 0 if the node has not joined, -1 and err if it is damaged. */
int home_load(const char *dir, struct membership *m, struct px_err *err);
/* Replace atomically, mode 0600. 0, or -1 and err. */
int home_save(const char *dir, const struct membership *m, struct px_err *err);

#endif
