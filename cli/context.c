/* SPDX-License-Identifier: MIT */
/*
 * The user's configuration file. Read through common/conf, so that errors have line and caret;
 * written by a small emitter of its own, because nothing else in plx writes YAML.
 */
#include "cli/context.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/text.h"

#define PORT_DEFAULT 7331

int contexts_path(const char *flag, char *out, size_t size, struct px_err *err)
{
    const char *own = getenv("PARALLAX_CONFIG"), *xdg = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    int n;
    if (flag)
        n = snprintf(out, size, "%s", flag);
    else if (own && *own)
        n = snprintf(out, size, "%s", own);
    else if (xdg && xdg[0] == '/')
        n = snprintf(out, size, "%s/parallax/config.yml", xdg);
    else if (home && home[0] == '/')
        n = snprintf(out, size, "%s/.config/parallax/config.yml", home);
    else
        n = snprintf(out, size, "/nonexistent/parallax/config.yml");
    if (n < 0 || (size_t)n >= size)
        return px_err_set(err, "bad-config", "the path of the configuration file is too long");
    return 0;
}

/* Length of the folder part of a path, 0 if it has none. */
static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) : 0;
}

static void beside(const char *path, const char *name, char *out, size_t size)
{
    if (name[0] == '/')
        snprintf(out, size, "%s", name);
    else
        snprintf(out, size, "%.*s%s%s", (int)folder_length(path), path,
                 strchr(path, '/') ? "/" : "", name);
}

/* ---- reading ---- */

static bool hex_decode(const char *text, uint8_t *out, size_t bytes)
{
    if (strlen(text) != bytes * 2 || strspn(text, "0123456789abcdefABCDEF") != bytes * 2)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        char two[3] = {text[2 * i], text[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return true;
}

/* "host", "host:port", "[v6]:port". */
static bool address_parse(const char *text, struct context *c)
{
    size_t length;
    const char *port = NULL;
    if (text[0] == '[') {
        const char *end = strchr(text, ']');
        if (!end || (end[1] && end[1] != ':'))
            return false;
        length = (size_t)(end - text) - 1;
        port = end[1] ? end + 2 : NULL;
        text++;
    } else {
        const char *colon = strrchr(text, ':');
        length = colon ? (size_t)(colon - text) : strlen(text);
        port = colon ? colon + 1 : NULL;
        if (memchr(text, ':', length))
            return false;
    }
    if (length == 0 || length > CONTEXT_HOST_MAX)
        return false;
    memcpy(c->host, text, length);
    c->host[length] = '\0';
    c->port = PORT_DEFAULT;
    if (!port)
        return true;
    char *end;
    unsigned long value = strtoul(port, &end, 10);
    if (!*port || *end || value < 1 || value > 65535 || strspn(port, "0123456789") != strlen(port))
        return false;
    c->port = (uint16_t)value;
    return true;
}

static const char *const context_keys[] = {"coordinator", "server-key", "key",
                                           "identity",    "role",       "labels"};

static void read_text(struct px_conf *conf, struct px_conf_node *map, const char *key, char *out,
                      size_t size)
{
    const char *text;
    if (px_conf_text(conf, px_conf_get(map, key), key, &text) && px_text_copy(out, size, text) != 0)
        px_conf_error(conf, px_conf_get(map, key), NULL, "%s is too long", key);
}

static void read_labels(struct px_conf *conf, struct px_conf_node *map, struct context *c)
{
    const char *value;
    for (struct px_conf_node *one = map ? map->first : NULL; one; one = one->next) {
        one->used = true;
        if (!px_conf_text(conf, one, "a label", &value))
            continue;
        struct px_label *label = &c->labels[c->label_count];
        if (c->label_count == PX_LABELS_MAX)
            px_conf_error(conf, one, NULL, "more than %d labels", PX_LABELS_MAX);
        else if (!one->key || px_text_copy(label->key, sizeof label->key, one->key) != 0 ||
                 px_text_copy(label->value, sizeof label->value, value) != 0)
            px_conf_error(conf, one, NULL, "a label is key: value, each at most %d characters",
                          PX_LABEL_MAX);
        else
            c->label_count++;
    }
}

static void context_read(struct px_conf *conf, struct px_conf_node *node, const char *path,
                         struct context *c)
{
    const char *text, *hint = "add it again: plx context add NAME TOKEN";
    if (node->kind != PX_CONF_MAP || !px_name_valid(node->key)) {
        px_conf_error(conf, node, hint, "\"%s\" is not a context",
                      px_name_valid(node->key) ? node->key : "?");
        return;
    }
    px_text_copy(c->name, sizeof c->name, node->key);
    struct px_conf_node *address = px_conf_get(node, "coordinator");
    struct px_conf_node *key = px_conf_get(node, "server-key");
    if (!address)
        px_conf_error(conf, node, hint, "context \"%s\" names no coordinator", c->name);
    else if (px_conf_text(conf, address, "coordinator", &text) && !address_parse(text, c))
        px_conf_error(conf, address, "write host:port, IPv6 as [2001:db8::1]:7331",
                      "\"%s\" is not the address of a coordinator", text);
    if (!key)
        px_conf_error(conf, node, hint, "context \"%s\" has no server-key", c->name);
    else if (px_conf_text(conf, key, "server-key", &text) &&
             !hex_decode(text, c->server_key, KEY_BYTES))
        px_conf_error(conf, key, hint, "server-key is not %d hexadecimal digits", KEY_BYTES * 2);
    char file[CONTEXT_PATH_MAX + 1] = "";
    read_text(conf, node, "key", file, sizeof file);
    if (*file)
        beside(path, file, c->key_file, sizeof c->key_file);
    else
        px_conf_error(conf, node, hint, "context \"%s\" has no key", c->name);
    read_text(conf, node, "identity", c->identity, sizeof c->identity);
    read_text(conf, node, "role", c->role, sizeof c->role);
    read_labels(conf, px_conf_get(node, "labels"), c);
    px_conf_unknown_keys(conf, node, "context", context_keys,
                         sizeof context_keys / sizeof *context_keys);
}

static void contexts_read(struct px_conf *conf, struct contexts *c)
{
    static const char *const keys[] = {"current", "contexts"};
    struct px_conf_node *root = px_conf_root(conf);
    if (!root)
        return;
    if (root->kind != PX_CONF_MAP) {
        px_conf_error(conf, root, NULL, "expected the keys current and contexts");
        return;
    }
    struct px_conf_node *current = px_conf_get(root, "current");
    struct px_conf_node *list = px_conf_get(root, "contexts");
    for (struct px_conf_node *one = list ? list->first : NULL; one; one = one->next) {
        struct context context = {0};
        one->used = true;
        context_read(conf, one, c->path, &context);
        if (c->n == CONTEXTS_MAX)
            px_conf_error(conf, one, NULL, "more than %d contexts", CONTEXTS_MAX);
        else
            contexts_add(c, &context);
    }
    read_text(conf, root, "current", c->current, sizeof c->current);
    if (*c->current && !contexts_find(c, c->current))
        px_conf_error(conf, current, "plx context use NAME", "there is no context \"%s\"",
                      c->current);
    px_conf_unknown_keys(conf, root, "the file", keys, 2);
}

int contexts_open(struct contexts *c, const char *path, struct px_err *err)
{
    struct px_err missing;
    memset(c, 0, sizeof *c);
    if (px_text_copy(c->path, sizeof c->path, path) != 0)
        return px_err_set(err, "bad-config", "the path of the configuration file is too long");
    if (access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
        return 0;
    struct px_conf *conf = px_conf_open(path, &missing);
    if (!conf) {
        if (err)
            *err = missing;
        return -1;
    }
    if (px_conf_error_count(conf) == 0)
        contexts_read(conf, c);
    size_t n = px_conf_error_count(conf);
    if (n > 0)
        c->errors = px_conf_errors(conf);
    px_conf_free(conf);
    if (n == 0)
        return 0;
    return px_err_set(err, "bad-config", "%s: %zu error%s", path, n, n == 1 ? "" : "s");
}

void contexts_clear(struct contexts *c)
{
    free(c->v);
    free(c->errors);
    memset(c, 0, sizeof *c);
}

/* ---- writing ---- */

/* A double-quoted YAML scalar. */
static void write_quoted(FILE *f, const char *text)
{
    fputc('"', f);
    for (const char *p = text; *p; p++) {
        if ((unsigned char)*p < 0x20)
            fprintf(f, "\\x%02x", (unsigned char)*p);
        else if (*p == '"' || *p == '\\')
            fprintf(f, "\\%c", *p);
        else
            fputc(*p, f);
    }
    fputc('"', f);
}

static void write_context(FILE *f, const struct contexts *all, const struct context *c)
{
    char address[CONTEXT_ADDRESS_TEXT];
    size_t folder = folder_length(all->path);
    const char *key = c->key_file;
    if (folder > 0 && strncmp(key, all->path, folder) == 0 && key[folder] == '/' &&
        !strchr(key + folder + 1, '/'))
        key += folder + 1;
    fprintf(f, "  %s:\n    coordinator: ", c->name);
    write_quoted(f, context_address(c, address));
    fputs("\n    server-key: ", f);
    for (size_t i = 0; i < KEY_BYTES; i++)
        fprintf(f, "%02x", c->server_key[i]);
    fputs("\n    key: ", f);
    write_quoted(f, key);
    if (*c->identity) {
        fputs("\n    identity: ", f);
        write_quoted(f, c->identity);
    }
    if (*c->role)
        fprintf(f, "\n    role: %s", c->role);
    if (c->label_count > 0)
        fputs("\n    labels:", f);
    for (uint32_t i = 0; i < c->label_count; i++) {
        fputs("\n      ", f);
        write_quoted(f, c->labels[i].key);
        fputs(": ", f);
        write_quoted(f, c->labels[i].value);
    }
    fputc('\n', f);
}

int contexts_prepare(const struct contexts *c, struct px_err *err)
{
    const char *path = c->path;
    char folder[CONTEXT_PATH_MAX + 1];
    for (size_t i = 1; i < strlen(path); i++) {
        if (path[i] != '/')
            continue;
        snprintf(folder, sizeof folder, "%.*s", (int)i, path);
        if (mkdir(folder, 0700) != 0 && errno != EEXIST && errno != EISDIR && errno != EROFS)
            return px_err_set(err, "write", "cannot make the folder %s: %s", folder,
                              strerror(errno));
    }
    return 0;
}

int contexts_save(const struct contexts *c, struct px_err *err)
{
    char temporary[CONTEXT_PATH_MAX + 16];
    if (contexts_prepare(c, err) != 0)
        return -1;
    snprintf(temporary, sizeof temporary, "%s.new", c->path);
    unlink(temporary);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!f) {
        if (fd >= 0)
            close(fd);
        return px_err_set(err, "write", "cannot write %s: %s", temporary, strerror(errno));
    }
    fputs("# written by plx; see plx context --help\n", f);
    if (*c->current)
        fprintf(f, "current: %s\n", c->current);
    if (c->n > 0)
        fputs("contexts:\n", f);
    for (size_t i = 0; i < c->n; i++)
        write_context(f, c, &c->v[i]);
    bool good = fflush(f) == 0 && fsync(fd) == 0;
    good = fclose(f) == 0 && good;
    if (!good || rename(temporary, c->path) != 0) {
        px_err_set(err, "write", "cannot write %s: %s", c->path, strerror(errno));
        unlink(temporary);
        return -1;
    }
    return 0;
}

/* ---- the list ---- */

struct context *contexts_find(const struct contexts *c, const char *name)
{
    for (size_t i = 0; i < c->n; i++) {
        if (strcmp(c->v[i].name, name) == 0)
            return &c->v[i];
    }
    return NULL;
}

void contexts_add(struct contexts *c, const struct context *one)
{
    struct context *old = contexts_find(c, one->name);
    if (old) {
        *old = *one;
        return;
    }
    c->v = px_xrealloc(c->v, c->n + 1, sizeof *c->v);
    c->v[c->n++] = *one;
}

void contexts_remove(struct contexts *c, const char *name)
{
    struct context *one = contexts_find(c, name);
    if (!one)
        return;
    size_t index = (size_t)(one - c->v);
    memmove(one, one + 1, (c->n - index - 1) * sizeof *one);
    c->n--;
    if (strcmp(c->current, name) == 0)
        c->current[0] = '\0';
}

void contexts_key_file(const struct contexts *c, const char *name, char *out, size_t size)
{
    char *file = px_xasprintf("%s.key", name);
    beside(c->path, file, out, size);
    free(file);
}

static int no_such_context(const struct contexts *c, const char *name, struct px_err *err)
{
    const char *names[CONTEXTS_MAX];
    char safe[128], list[400] = "";
    for (size_t i = 0; i < c->n; i++) {
        size_t used = strlen(list);
        names[i] = c->v[i].name;
        snprintf(list + used, sizeof list - used, "%s%s", i ? " " : "", names[i]);
    }
    px_text_safe(name, 40, safe, sizeof safe);
    const char *near = px_text_suggest(name, names, c->n);
    if (near)
        px_err_set(err, "no-such-context", "no context \"%s\"; did you mean \"%s\"?", safe, near);
    else
        px_err_set(err, "no-such-context", "no context \"%s\"", safe);
    if (c->n > 0)
        return px_err_hint(err, "known: %s", list);
    return px_err_hint(err, "plx context add NAME TOKEN   makes one");
}

int contexts_choose(const struct contexts *c, const char *flag, struct context *out,
                    struct px_err *err)
{
    const char *wish = flag ? flag : getenv("PARALLAX_CONTEXT");
    const char *address = getenv("PARALLAX_COORDINATOR"), *key = getenv("PARALLAX_KEY_FILE");
    if (!wish || !*wish)
        wish = c->current;
    if (!*wish)
        return 0;
    const struct context *found = contexts_find(c, wish);
    if (!found)
        return no_such_context(c, wish, err);
    *out = *found;
    if (address && *address && !address_parse(address, out))
        return px_err_set(err, "bad-config",
                          "PARALLAX_COORDINATOR is not host:port; IPv6 as [2001:db8::1]:7331");
    if (key && *key)
        px_text_copy(out->key_file, sizeof out->key_file, key);
    return 1;
}

char *context_address(const struct context *c, char *out)
{
    bool brackets = strchr(c->host, ':') != NULL;
    snprintf(out, CONTEXT_ADDRESS_TEXT, "%s%s%s:%u", brackets ? "[" : "", c->host,
             brackets ? "]" : "", c->port);
    return out;
}
