/* SPDX-License-Identifier: MIT */
/* plx nodes [list]: which vantages the mesh has. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/config.h"
#include "cli/out_text.h"
#include "cli/session.h"
#include "common/text.h"

#define CELL 256

struct node_list {
    struct wire_node *v;
    size_t n;
};

static const struct flag_spec nodes_flags[] = {
    {"output", 'o', "FORMAT", "table or json"},
    {NULL, 0, NULL, NULL},
};

static bool nodes_on_answer(void *arg, const struct wire_message *m)
{
    struct node_list *list = arg;
    size_t n = m->u.node_list.count;
    if (m->kind != WIRE_NODE_LIST)
        return false;
    if (n > 0) {
        list->v = px_xrealloc(list->v, list->n + n, sizeof *list->v);
        memcpy(list->v + list->n, m->u.node_list.nodes, n * sizeof *list->v);
        list->n += n;
    }
    return m->u.node_list.last;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct wire_node *)a)->name, ((const struct wire_node *)b)->name);
}

/* ---- json ---- */

static json_t *node_document(const struct wire_node *node)
{
    char text[PX_WALL_TEXT + PX_ADDR_TEXT];
    json_t *labels = json_object(), *can = json_array(), *document = json_object();
    for (uint32_t i = 0; i < node->label_count; i++)
        json_object_set_new(labels, node->labels[i].key, json_string(node->labels[i].value));
    for (uint32_t i = 0; i < node->can_count; i++)
        json_array_append_new(can, json_string(node->can[i]));
    json_object_set_new(document, "name", json_string(node->name));
    json_object_set_new(document, "state", json_string(node->state));
    json_object_set_new(document, "source",
                        node->source.family ? json_string(px_addr_format(&node->source, text))
                                            : json_null());
    json_object_set_new(document, "labels", labels);
    json_object_set_new(document, "can", can);
    json_object_set_new(document, "version", json_string(node->version));
    json_object_set_new(document, "last_seen",
                        node->last_seen > 0 ? json_string(px_wall_format(node->last_seen, text))
                                            : json_null());
    return document;
}

static void write_json(const struct node_list *list)
{
    json_t *nodes = json_array();
    for (size_t i = 0; i < list->n; i++)
        json_array_append_new(nodes, node_document(&list->v[i]));
    json_t *document = json_pack("{s:s, s:o}", "schema", "parallax.nodes/1", "nodes", nodes);
    json_dumpf(document, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(document);
}

/* ---- table ---- */

static void append(char *cell, const char *word)
{
    size_t used = strlen(cell);
    snprintf(cell + used, CELL - used, "%s%s", used ? "," : "", word);
}

/* Tags first, then labels; the network has a column of its own. */
static void tags_cell(const struct wire_node *node, char *cell)
{
    char text[2 * PX_LABEL_MAX + 2];
    cell[0] = '\0';
    for (uint32_t i = 0; i < node->label_count; i++) {
        if (!*node->labels[i].value)
            append(cell, node->labels[i].key);
    }
    for (uint32_t i = 0; i < node->label_count; i++) {
        const struct px_label *label = &node->labels[i];
        if (!*label->value || strcmp(label->key, "network") == 0 || strcmp(label->key, "asn") == 0)
            continue;
        snprintf(text, sizeof text, "%s=%s", label->key, label->value);
        append(cell, text);
    }
}

static void grid_add_node(struct out_grid *grid, const struct wire_node *node, px_wall now)
{
    struct px_vantage v = {.label_count = node->label_count};
    char network[PX_LABEL_MAX + 3], source[PX_ADDR_TEXT], tags[CELL], can[CELL] = "";
    char age[PX_DURATION_TEXT] = "-";
    memcpy(v.labels, node->labels, sizeof v.labels);
    px_vantage_network(&v, network);
    tags_cell(node, tags);
    for (uint32_t i = 0; i < node->can_count; i++)
        append(can, node->can[i]);
    if (node->joined > 0)
        px_duration_format(now > node->joined ? now - node->joined : 0, age);
    px_addr_format(&node->source, source);
    const char *cells[] = {node->name,
                           node->state,
                           network,
                           *source ? source : "-",
                           *tags ? tags : "-",
                           *can ? can : "-",
                           *node->version ? node->version : "-",
                           age};
    out_grid_add(grid, strcmp(node->state, "up") == 0 ? OUT_GOOD : OUT_WARN, cells);
}

static void write_table(const struct node_list *list, const struct out_style *style)
{
    static const struct out_column columns[] = {
        {"NAME", false, false, false, false},    {"STATE", false, true, false, false},
        {"NETWORK", true, false, false, false},  {"SOURCE", false, false, false, false},
        {"TAGS", true, false, false, false},     {"CAN", false, false, false, false},
        {"VERSION", false, false, false, false}, {"AGE", false, false, false, false},
    };
    struct out_grid *grid = out_grid_new(columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < list->n; i++)
        grid_add_node(grid, &list->v[i], style->now);
    out_grid_print(grid, stdout, style);
    out_grid_free(grid);
    if (list->n == 0)
        puts("no vantage has joined yet; plx explain mesh tells how");
}

static enum cmd_exit cmd_nodes_run(struct cmd_env *env)
{
    static const char *const formats[] = {"table", "json", NULL};
    struct node_list list = {NULL, 0};
    struct context context;
    struct px_err err;
    enum cmd_exit code = CMD_YES;
    if (env->flags.word_count > 1 ||
        (env->flags.word_count == 1 && strcmp(env->flags.words[0], "list") != 0))
        return cmd_misuse(env, "nodes knows only the verb list");
    const char *format = out_choose(&env->flags, formats, &err);
    if (!format)
        return cmd_fail(env, &err, CMD_MISUSE);
    if (config_require(env, &context, &code) < 0)
        return code;
    struct wire_message *request = wire_new(WIRE_LIST_NODES);
    request->request = 1;
    struct session_wish wish = {.context = &context, .request = request};
    int failed = session_ask(&wish, nodes_on_answer, &list, &err);
    wire_free(request);
    if (failed) {
        code = cmd_fail(env, &err, failed < 0 ? cmd_exit_of_error(&err) : (enum cmd_exit)failed);
    } else {
        if (list.n > 0)
            qsort(list.v, list.n, sizeof *list.v, by_name);
        if (strcmp(format, "json") == 0)
            write_json(&list);
        else
            write_table(&list, &env->out);
    }
    free(list.v);
    return code;
}

const struct cmd cmd_nodes_entry = {
    .name = "nodes",
    .synopsis = "nodes [list]",
    .summary = "the vantages of the mesh",
    .examples = "  plx nodes\n  plx nodes list -o json",
    .flags = nodes_flags,
    .run = cmd_nodes_run,
};
