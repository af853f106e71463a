/* SPDX-License-Identifier: MIT */
/* Reads coordinator.yml; every rule about its keys is here. */
#include "coordinator/config.h"

#include <string.h>

#include "common/conf.h"
#include "common/text.h"

#define RUNS_LIMIT 10000

static const char *const root_keys[] = {"listen", "limits"};
static const char *const listen_keys[] = {"nodes"};
static const char *const limits_keys[] = {"runs", "runs_per_user"};

#define KEYS(list) (list), sizeof(list) / sizeof *(list)

static void read_listen(struct px_conf *conf, struct px_conf_node *map, struct config *c)
{
    const char *text;
    struct px_addr addr;
    uint16_t port;
    struct px_err err;
    struct px_conf_node *nodes = px_conf_get(map, "nodes");
    if (px_conf_text(conf, nodes, "listen.nodes", &text)) {
        if (state_parse_endpoint(text, &addr, &port, &err) != 0)
            px_conf_error(conf, nodes, err.hint, "%s", err.message);
        else
            px_text_copy(c->listen, sizeof c->listen, text);
    }
    px_conf_unknown_keys(conf, map, "listen", KEYS(listen_keys));
}

static void read_limit(struct px_conf *conf, struct px_conf_node *map, const char *key,
                       const char *what, unsigned *out)
{
    int64_t n;
    if (px_conf_integer(conf, px_conf_get(map, key), what, 1, RUNS_LIMIT, &n))
        *out = (unsigned)n;
}

static void read_limits(struct px_conf *conf, struct px_conf_node *map, struct config *c)
{
    read_limit(conf, map, "runs", "limits.runs", &c->runs_max);
    read_limit(conf, map, "runs_per_user", "limits.runs_per_user", &c->per_user_max);
    px_conf_unknown_keys(conf, map, "limits", KEYS(limits_keys));
}

static void read_section(struct px_conf *conf, const char *key,
                         void (*read)(struct px_conf *, struct px_conf_node *, struct config *),
                         struct config *c)
{
    struct px_conf_node *map = px_conf_get(px_conf_root(conf), key);
    if (!map)
        return;
    if (map->kind == PX_CONF_MAP)
        read(conf, map, c);
    else
        px_conf_error(conf, map, NULL, "%s must be a map", key);
}

int config_read(const char *path, struct config *c, char **errors, struct px_err *err)
{
    struct px_conf *conf = px_conf_open(path, err);
    *errors = NULL;
    memset(c, 0, sizeof *c);
    if (!conf)
        return -1;
    struct px_conf_node *root = px_conf_root(conf);
    if (root && root->kind != PX_CONF_MAP) {
        px_conf_error(conf, root, NULL, "the file must be a map of settings");
    } else if (root) {
        read_section(conf, "listen", read_listen, c);
        read_section(conf, "limits", read_limits, c);
        px_conf_unknown_keys(conf, root, NULL, KEYS(root_keys));
    }
    if (px_conf_error_count(conf) > 0)
        *errors = px_conf_errors(conf);
    px_conf_free(conf);
    return *errors ? -1 : 0;
}
