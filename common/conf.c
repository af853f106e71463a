/* SPDX-License-Identifier: MIT */
/*
 * From YAML events to a tree with positions. Only the plain part of YAML: one document, text keys,
 * no anchors, aliases or tags. Nothing here knows what the keys mean; typed reading is in
 * conf_read.c, the list of errors in conf_errors.c.
 */
#include "common/conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "common/conf_tree.h"
#include "common/text.h"

/* An open list or map. */
struct frame {
    struct px_conf_node *node;
    struct px_conf_node **tail; /* where the next child goes */
    struct px_conf_node *key;   /* the key that waits for its value; NULL = none */
};

struct building {
    struct px_conf *c;
    struct frame frames[PX_CONF_DEPTH_MAX];
    size_t depth;
    unsigned documents;
    bool broken; /* nothing more can be read */
};

static struct px_conf_node *node_new(struct px_conf *c, enum px_conf_kind kind,
                                     const yaml_event_t *event)
{
    struct px_conf_node *n = px_xcalloc(1, sizeof(*n));
    const yaml_mark_t *from = &event->start_mark, *to = &event->end_mark;
    if (c->node_count == c->node_room) {
        c->node_room = c->node_room == 0 ? 64 : c->node_room * 2;
        c->nodes = px_xrealloc(c->nodes, c->node_room, sizeof(struct px_conf_node *));
    }
    c->nodes[c->node_count++] = n;
    n->kind = kind;
    n->line = (unsigned)from->line + 1;
    n->column = (unsigned)from->column + 1;
    n->width = 1;
    if (kind == PX_CONF_SCALAR && to->line == from->line && to->column > from->column)
        n->width = (unsigned)(to->column - from->column);
    return n;
}

static void error_at(struct px_conf *c, const yaml_mark_t *mark, const char *hint,
                     const char *message)
{
    struct px_conf_node at = {
        .line = (unsigned)mark->line + 1, .column = (unsigned)mark->column + 1, .width = 1};
    px_conf_error(c, &at, hint, "%s", message);
}

/* A key is a scalar that never shows up in the tree itself. */
static void key_take(struct building *b, struct frame *in, struct px_conf_node *n)
{
    if (n->kind != PX_CONF_SCALAR) {
        px_conf_error(b->c, n, NULL, "a key must be text");
        n->bad = true;
    }
    in->key = n;
}

static void node_attach(struct building *b, struct px_conf_node *n)
{
    if (b->depth == 0) {
        b->c->root = n;
        return;
    }
    struct frame *in = &b->frames[b->depth - 1];
    if (in->node->kind == PX_CONF_MAP && in->key == NULL) {
        key_take(b, in, n);
        return;
    }
    if (in->key != NULL) {
        n->key = px_xstrdup(in->key->text != NULL ? in->key->text : "");
        n->key_line = in->key->line;
        n->key_column = in->key->column;
        n->bad = n->bad || in->key->bad;
        n->used = in->key->bad;
        in->key = NULL;
    }
    *in->tail = n;
    in->tail = &n->next;
}

/* What YAML can do beyond plain trees is refused where it stands. */
static void extras_refuse(struct building *b, struct px_conf_node *n, const yaml_char_t *anchor,
                          const yaml_char_t *tag)
{
    if (anchor == NULL && tag == NULL)
        return;
    px_conf_error(b->c, n, "write the value itself", "%s",
                  anchor != NULL ? "anchors (&) and aliases (*) are not used here"
                                 : "tags (!) are not used here");
    n->bad = true;
}

static void on_scalar(struct building *b, const yaml_event_t *event)
{
    struct px_conf_node *n = node_new(b->c, PX_CONF_SCALAR, event);
    const char *text = (const char *)event->data.scalar.value;
    n->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (strlen(text) != event->data.scalar.length) {
        px_conf_error(b->c, n, NULL, "a NUL character is not text");
        n->bad = true;
    }
    if (!n->quoted && (strcmp(text, "~") == 0 || strcmp(text, "null") == 0))
        text = "";
    n->text = px_xstrdup(text);
    extras_refuse(b, n, event->data.scalar.anchor, event->data.scalar.tag);
    node_attach(b, n);
}

static void on_alias(struct building *b, const yaml_event_t *event)
{
    struct px_conf_node *n = node_new(b->c, PX_CONF_SCALAR, event);
    n->text = px_xstrdup("");
    extras_refuse(b, n, event->data.alias.anchor, NULL);
    node_attach(b, n);
}

static void frame_open(struct building *b, struct px_conf_node *n)
{
    node_attach(b, n);
    if (b->depth == PX_CONF_DEPTH_MAX) {
        px_conf_error(b->c, n, NULL, "nested more than %d levels deep", PX_CONF_DEPTH_MAX);
        b->broken = true;
        return;
    }
    b->frames[b->depth++] = (struct frame){.node = n, .tail = &n->first};
}

static void on_list(struct building *b, const yaml_event_t *event)
{
    struct px_conf_node *n = node_new(b->c, PX_CONF_LIST, event);
    extras_refuse(b, n, event->data.sequence_start.anchor, event->data.sequence_start.tag);
    frame_open(b, n);
}

static void on_map(struct building *b, const yaml_event_t *event)
{
    struct px_conf_node *n = node_new(b->c, PX_CONF_MAP, event);
    extras_refuse(b, n, event->data.mapping_start.anchor, event->data.mapping_start.tag);
    frame_open(b, n);
}

static int key_compare(const void *left, const void *right)
{
    const struct px_conf_node *a = *(struct px_conf_node *const *)left;
    const struct px_conf_node *b = *(struct px_conf_node *const *)right;
    int order = strcmp(a->key, b->key);
    if (order != 0)
        return order;
    if (a->key_line != b->key_line)
        return a->key_line < b->key_line ? -1 : 1;
    return a->key_column < b->key_column ? -1 : a->key_column > b->key_column;
}

/* The first one counts; a later one is an error and never "unknown" besides. */
static void duplicates_refuse(struct px_conf *c, const struct px_conf_node *map)
{
    size_t n = 0, i = 0;
    for (struct px_conf_node *k = map->first; k != NULL; k = k->next)
        n += k->bad ? 0 : 1;
    struct px_conf_node **sorted = px_xcalloc(n, sizeof(*sorted));
    for (struct px_conf_node *k = map->first; k != NULL; k = k->next) {
        if (!k->bad)
            sorted[i++] = k;
    }
    qsort(sorted, n, sizeof(*sorted), key_compare);
    const struct px_conf_node *first = n > 0 ? sorted[0] : NULL;
    for (i = 1; i < n; i++) {
        if (strcmp(first->key, sorted[i]->key) != 0) {
            first = sorted[i];
            continue;
        }
        char hint[64];
        struct px_conf_node at = {.line = sorted[i]->key_line,
                                  .column = sorted[i]->key_column,
                                  .width = (unsigned)strlen(sorted[i]->key)};
        snprintf(hint, sizeof(hint), "first given on line %u", first->key_line);
        px_conf_error(c, &at, hint, "key \"%s\" is given twice", sorted[i]->key);
        sorted[i]->used = true;
    }
    free(sorted);
}

static void on_end(struct building *b, const yaml_event_t *event)
{
    (void)event;
    const struct frame *closed = &b->frames[--b->depth];
    if (closed->node->kind == PX_CONF_MAP)
        duplicates_refuse(b->c, closed->node);
}

static void on_document(struct building *b, const yaml_event_t *event)
{
    if (++b->documents == 1)
        return;
    error_at(b->c, &event->start_mark, "keep one and leave out the line ---",
             "a second document begins here");
    b->broken = true;
}

static void (*const handlers[])(struct building *b, const yaml_event_t *event) = {
    [YAML_DOCUMENT_START_EVENT] = on_document, [YAML_ALIAS_EVENT] = on_alias,
    [YAML_SCALAR_EVENT] = on_scalar,           [YAML_SEQUENCE_START_EVENT] = on_list,
    [YAML_SEQUENCE_END_EVENT] = on_end,        [YAML_MAPPING_START_EVENT] = on_map,
    [YAML_MAPPING_END_EVENT] = on_end,
};
#define HANDLERS (sizeof(handlers) / sizeof(handlers[0]))

/* What the parser says, and what mostly lies behind it. */
static const struct {
    const char *problem, *hint;
} syntax_hints[] = {
    {"found character that cannot start any token",
     "indent with spaces, not tabs; quote text that begins with @ ` or %"},
    {"found a tab character", "indent with spaces, not tabs"},
    {"mapping values are not allowed", "quote text that holds \": \"; check the indentation above"},
    {"did not find expected key", "check the indentation of this line and the one above"},
    {"could not find expected ':'", "every line of a map is KEY: VALUE"},
    {"did not find expected '-' indicator", "every element of this list begins with \"- \""},
    {"unexpected end of stream", "a quote or bracket is not closed"},
};

static const char *syntax_hint(const char *problem)
{
    for (size_t i = 0; i < sizeof(syntax_hints) / sizeof(syntax_hints[0]); i++) {
        if (strstr(problem, syntax_hints[i].problem) != NULL)
            return syntax_hints[i].hint;
    }
    return NULL;
}

/* Bytes that are not text are reported by offset, not by line. */
static yaml_mark_t offset_mark(const struct px_conf *c, size_t offset)
{
    yaml_mark_t mark = {0};
    for (size_t i = 0; i < offset && i < c->length; i++) {
        mark.column++;
        if (c->text[i] == '\n') {
            mark.line++;
            mark.column = 0;
        }
    }
    return mark;
}

static void on_syntax_error(struct building *b, const yaml_parser_t *parser)
{
    const char *problem = parser->problem != NULL ? parser->problem : "not YAML";
    char message[256], begin[48] = "";
    yaml_mark_t mark = parser->problem_mark;
    if (parser->context != NULL && parser->context_mark.line != mark.line)
        snprintf(begin, sizeof(begin), " that begins on line %zu", parser->context_mark.line + 1);
    if (parser->error == YAML_READER_ERROR) {
        mark = offset_mark(b->c, parser->problem_offset);
        snprintf(message, sizeof(message), "not UTF-8 text: %s", problem);
    } else {
        snprintf(message, sizeof(message), "%s%s%s%s", problem, parser->context != NULL ? " " : "",
                 parser->context != NULL ? parser->context : "", begin);
    }
    error_at(b->c, &mark, syntax_hint(problem), message);
    b->broken = true;
}

static bool is_value(yaml_event_type_t type)
{
    return type == YAML_SCALAR_EVENT || type == YAML_ALIAS_EVENT ||
           type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT;
}

static void events_read(struct building *b, yaml_parser_t *parser)
{
    for (bool done = false; !done && !b->broken;) {
        yaml_event_t event;
        if (yaml_parser_parse(parser, &event) == 0) {
            on_syntax_error(b, parser);
            return;
        }
        done = event.type == YAML_STREAM_END_EVENT || event.type == YAML_NO_EVENT;
        if (b->c->node_count >= PX_CONF_NODES_MAX && is_value(event.type)) {
            error_at(b->c, &event.start_mark, NULL, "too many values for one file");
            b->broken = true;
        } else if ((size_t)event.type < HANDLERS && handlers[event.type] != NULL) {
            handlers[event.type](b, &event);
        }
        yaml_event_delete(&event);
    }
}

struct px_conf *px_conf_parse(const char *name, const char *text, size_t length)
{
    struct px_conf *c = px_xcalloc(1, sizeof(*c));
    struct building b = {.c = c};
    yaml_parser_t parser;
    c->name = px_xstrdup(name);
    if (length > PX_CONF_BYTES_MAX) {
        px_conf_error(c, NULL, NULL, "more than %u bytes", PX_CONF_BYTES_MAX);
        return c;
    }
    c->text = px_xcalloc(length + 1, 1);
    c->length = length;
    if (length > 0)
        memcpy(c->text, text, length);
    if (yaml_parser_initialize(&parser) == 0) {
        px_conf_error(c, NULL, NULL, "out of memory");
        return c;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)c->text, length);
    events_read(&b, &parser);
    yaml_parser_delete(&parser);
    if (b.broken)
        c->root = NULL;
    return c;
}

/* At most one byte more than allowed, so that the parser sees that it is too much. */
static char *file_read(FILE *file, size_t *length)
{
    size_t room = 4096;
    char *text = px_xcalloc(room, 1);
    *length = 0;
    while (*length <= PX_CONF_BYTES_MAX) {
        size_t n = fread(text + *length, 1, room - *length, file);
        if (n == 0)
            break;
        *length += n;
        if (*length == room) {
            room *= 2;
            text = px_xrealloc(text, room, 1);
        }
    }
    return text;
}

struct px_conf *px_conf_open(const char *path, struct px_err *err)
{
    struct px_conf *c = NULL;
    size_t length = 0;
    FILE *file = fopen(path, "re");
    char *text = file == NULL ? NULL : file_read(file, &length);
    if (file == NULL || ferror(file))
        px_err_set(err, "no-file", "cannot read %s: %s", path, strerror(errno));
    else
        c = px_conf_parse(path, text, length);
    free(text);
    if (file != NULL)
        fclose(file);
    return c;
}

void px_conf_free(struct px_conf *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->node_count; i++) {
        free(c->nodes[i]->text);
        free(c->nodes[i]->key);
        free(c->nodes[i]);
    }
    for (size_t i = 0; i < c->error_kept; i++) {
        free(c->errors[i].message);
        free(c->errors[i].hint);
    }
    free(c->nodes);
    free(c->errors);
    free(c->text);
    free(c->name);
    free(c);
}

struct px_conf_node *px_conf_root(struct px_conf *c)
{
    return c->root;
}
