/* SPDX-License-Identifier: MIT */
/* plx context add|list|use|show|remove: which coordinators this user knows. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/config.h"
#include "cli/out_text.h"
#include "cli/session.h"
#include "common/text.h"

static const struct flag_spec context_flags[] = {
    {"name", 0, "NAME", "add: what the coordinator shall call you (default user-host)"},
    {"label", 0, "K=V", "add: label of \"here\", for example network=office; repeatable"},
    {"output", 'o', "FORMAT", "list, show: table or json"},
    {NULL, 0, NULL, NULL},
};

static const char *const formats[] = {"table", "json", NULL};

/* One verb of plx context. */
struct verb {
    const char *name;
    size_t words; /* after the verb */
    const char *usage;
    enum cmd_exit (*run)(struct cmd_env *env, struct contexts *all);
};

static const char *word(const struct cmd_env *env, size_t i)
{
    return env->flags.words[i];
}

static const char *fingerprint_of(const struct context *c, char *out)
{
    return key_fingerprint(c->server_key, out);
}

/* The context a verb names; NULL with the complaint made. */
static struct context *named(struct cmd_env *env, struct contexts *all, const char *name)
{
    struct context found;
    struct px_err err;
    if (contexts_choose(all, name, &found, &err) > 0)
        return contexts_find(all, found.name);
    cmd_fail(env, &err, CMD_MISUSE);
    return NULL;
}

/* ---- add ---- */

struct enrolled {
    char name[PX_NAME_MAX + 1];
    char role[WIRE_WORD];
};

static bool enrol_on_answer(void *arg, const struct wire_message *m)
{
    struct enrolled *got = arg;
    if (m->kind != WIRE_ENROLLED)
        return false;
    px_text_copy(got->name, sizeof got->name, m->u.enrolled.name);
    px_text_copy(got->role, sizeof got->role, m->u.enrolled.role);
    return true;
}

static int labels_parse(const struct flags *f, struct context *c, struct px_err *err)
{
    for (size_t i = 0; i < f->given_count; i++) {
        const char *text = f->given[i].value;
        if (strcmp(f->given[i].spec->name, "label") != 0)
            continue;
        struct px_label *label = &c->labels[c->label_count];
        size_t length = strcspn(text, "=");
        const char *value = text[length] ? text + length + 1 : "";
        if (c->label_count == PX_LABELS_MAX)
            return px_err_set(err, "bad-flag", "--label is given more than %d times",
                              PX_LABELS_MAX);
        if (length == 0 || length > PX_LABEL_MAX || strlen(value) > PX_LABEL_MAX)
            return px_err_set(err, "bad-flag",
                              "--label is KEY=VALUE or a tag, each at most %d characters",
                              PX_LABEL_MAX);
        snprintf(label->key, sizeof label->key, "%.*s", (int)length, text);
        px_text_copy(label->value, sizeof label->value, value);
        c->label_count++;
    }
    return 0;
}

static int token_read(const char *text, struct token *token, struct px_err *err)
{
    if (token_parse(text, token, err) != 0)
        return -1;
    if (token->role != TOKEN_NODE)
        return 0;
    px_err_set(err, "wrong-token", "this token is for a node; plx needs a user token (plu1-...)");
    return px_err_hint(err,
                       "on the vantage:  parallax-node run --state DIR --name NAME --join TOKEN\n"
                       "for yourself, on the coordinator:  parallax-coordinator token --state "
                       "DIR --role operator");
}

/* The new key lies beside the final place until the coordinator knows it, so that a failure leaves
 * everything as it was. */
static int key_prepare(const char *path, struct key_pair *keys, struct px_err *err)
{
    key_generate(keys);
    if (unlink(path) != 0 && errno != ENOENT)
        return px_err_set(err, "write", "cannot replace %s: %s", path, strerror(errno));
    return key_save(path, keys, err);
}

static int enrol(const struct cmd_env *env, const struct token *token, struct context *c,
                 const char *key_file, struct px_err *err)
{
    struct enrolled got = {"", ""};
    struct key_pair keys;
    if (key_prepare(key_file, &keys, err) != 0)
        return CMD_MISUSE;
    struct session_wish wish = {.context = c,
                                .keys = &keys,
                                .secret = token->secret,
                                .name = flags_text(&env->flags, "name")};
    int failed = session_ask(&wish, enrol_on_answer, &got, err);
    key_clear(&keys);
    px_text_copy(c->identity, sizeof c->identity, got.name);
    px_text_copy(c->role, sizeof c->role, got.role);
    return failed;
}

static void say_added(const struct cmd_env *env, const struct contexts *all,
                      const struct context *c)
{
    char at[CONTEXT_ADDRESS_TEXT], fingerprint[KEY_FINGERPRINT_TEXT];
    const char *good = env->out.utf8 ? "✓" : "ok";
    printf("  %s reached     %s, fingerprint %s matches the token\n", good, context_address(c, at),
           fingerprint_of(c, fingerprint));
    printf("  %s joined      as \"%s\", role %s\n", good, c->identity, c->role);
    printf("  %s saved       context \"%s\" in %s, now in use\n", good, c->name, all->path);
}

static enum cmd_exit context_add(struct cmd_env *env, struct contexts *all)
{
    struct context c = {0};
    struct token token;
    struct px_err err;
    char fresh[CONTEXT_PATH_MAX + 8];
    const char *name = word(env, 1), *wished = flags_text(&env->flags, "name");
    if (!px_name_valid(name) || (wished && !px_name_valid(wished)))
        return cmd_misuse(env, "a name is made of a-z 0-9 . _ - and at most %d long", PX_NAME_MAX);
    if (token_read(word(env, 2), &token, &err) != 0 || labels_parse(&env->flags, &c, &err) != 0)
        return cmd_fail(env, &err, CMD_MISUSE);
    px_text_copy(c.name, sizeof c.name, name);
    px_text_copy(c.host, sizeof c.host, token.host);
    c.port = token.port;
    memcpy(c.server_key, token.server_key, KEY_BYTES);
    contexts_key_file(all, name, c.key_file, sizeof c.key_file);
    if (contexts_prepare(all, &err) != 0)
        return cmd_fail(env, &err, CMD_MISUSE);
    snprintf(fresh, sizeof fresh, "%s.new", c.key_file);
    int failed = enrol(env, &token, &c, fresh, &err);
    if (failed) {
        unlink(fresh);
        return cmd_fail(env, &err, failed == CMD_MISUSE ? CMD_MISUSE : CMD_COORDINATOR);
    }
    contexts_add(all, &c);
    px_text_copy(all->current, sizeof all->current, name);
    if (rename(fresh, c.key_file) != 0) {
        px_err_set(&err, "write", "cannot write %s: %s", c.key_file, strerror(errno));
        return cmd_fail(env, &err, CMD_MISUSE);
    }
    if (contexts_save(all, &err) != 0)
        return cmd_fail(env, &err, CMD_MISUSE);
    say_added(env, all, &c);
    return CMD_YES;
}

/* ---- the others ---- */

static json_t *context_document(const struct contexts *all, const struct context *c)
{
    char at[CONTEXT_ADDRESS_TEXT], fingerprint[KEY_FINGERPRINT_TEXT];
    return json_pack("{s:s, s:b, s:s, s:s, s:s, s:s, s:s}", "name", c->name, "current",
                     strcmp(all->current, c->name) == 0, "coordinator", context_address(c, at),
                     "server_fingerprint", fingerprint_of(c, fingerprint), "identity", c->identity,
                     "role", c->role, "key", c->key_file);
}

static void write_document(json_t *document)
{
    json_dumpf(document, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(document);
}

static enum cmd_exit list_json(const struct contexts *all)
{
    json_t *list = json_array();
    for (size_t i = 0; i < all->n; i++)
        json_array_append_new(list, context_document(all, &all->v[i]));
    write_document(json_pack("{s:s, s:o}", "schema", "parallax.contexts/1", "contexts", list));
    return CMD_YES;
}

static enum cmd_exit context_list(struct cmd_env *env, struct contexts *all)
{
    static const struct out_column columns[] = {
        {"", false, true, false, false},
        {"NAME", false, false, false, false},
        {"COORDINATOR", false, false, false, false},
        {"FINGERPRINT", false, false, false, false},
        {"IDENTITY", true, false, false, false},
        {"ROLE", true, false, false, false},
    };
    struct px_err err;
    const char *format = out_choose(&env->flags, formats, &err);
    if (!format)
        return cmd_fail(env, &err, CMD_MISUSE);
    if (strcmp(format, "json") == 0)
        return list_json(all);
    if (all->n == 0) {
        puts("no context; plx context add NAME TOKEN makes one");
        return CMD_YES;
    }
    struct out_grid *grid = out_grid_new(columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < all->n; i++) {
        const struct context *c = &all->v[i];
        char at[CONTEXT_ADDRESS_TEXT], fingerprint[KEY_FINGERPRINT_TEXT];
        const char *cells[] = {strcmp(all->current, c->name) == 0 ? "*" : " ",
                               c->name,
                               context_address(c, at),
                               fingerprint_of(c, fingerprint),
                               c->identity,
                               c->role};
        out_grid_add(grid, OUT_GOOD, cells);
    }
    out_grid_print(grid, stdout, &env->out);
    out_grid_free(grid);
    return CMD_YES;
}

static enum cmd_exit context_use(struct cmd_env *env, struct contexts *all)
{
    struct px_err err;
    struct context *c = named(env, all, word(env, 1));
    if (!c)
        return CMD_MISUSE;
    px_text_copy(all->current, sizeof all->current, c->name);
    if (contexts_save(all, &err) != 0)
        return cmd_fail(env, &err, CMD_MISUSE);
    printf("using context \"%s\"\n", c->name);
    return CMD_YES;
}

static enum cmd_exit context_show(struct cmd_env *env, struct contexts *all)
{
    char at[CONTEXT_ADDRESS_TEXT], fingerprint[KEY_FINGERPRINT_TEXT];
    struct px_err err;
    const char *format = out_choose(&env->flags, formats, &err);
    const char *name = env->flags.word_count > 1 ? word(env, 1) : all->current;
    if (!format)
        return cmd_fail(env, &err, CMD_MISUSE);
    if (!*name)
        return cmd_misuse(env, "no context is in use; plx context list shows what there is");
    struct context *c = named(env, all, name);
    if (!c)
        return CMD_MISUSE;
    if (strcmp(format, "json") == 0) {
        json_t *document = context_document(all, c);
        json_object_set_new(document, "schema", json_string("parallax.context/1"));
        write_document(document);
        return CMD_YES;
    }
    printf("name         %s%s\n", c->name, strcmp(all->current, c->name) == 0 ? "   (in use)" : "");
    printf("coordinator  %s\n", context_address(c, at));
    printf("fingerprint  %s   (of the coordinator)\n", fingerprint_of(c, fingerprint));
    printf("identity     %s, role %s\n", *c->identity ? c->identity : "?",
           *c->role ? c->role : "?");
    printf("key          %s\n", c->key_file);
    for (uint32_t i = 0; i < c->label_count; i++)
        printf("label        %s%s%s\n", c->labels[i].key, *c->labels[i].value ? "=" : "",
               c->labels[i].value);
    return CMD_YES;
}

static enum cmd_exit context_remove(struct cmd_env *env, struct contexts *all)
{
    char own[CONTEXT_PATH_MAX + 1], name[PX_NAME_MAX + 1];
    struct px_err err;
    struct context *c = named(env, all, word(env, 1));
    if (!c)
        return CMD_MISUSE;
    px_text_copy(name, sizeof name, c->name);
    contexts_key_file(all, name, own, sizeof own);
    bool with_key = strcmp(own, c->key_file) == 0;
    contexts_remove(all, name);
    if (contexts_save(all, &err) != 0)
        return cmd_fail(env, &err, CMD_MISUSE);
    printf("removed context \"%s\"", name);
    if (with_key && unlink(own) == 0)
        printf(" and its key %s", own);
    puts(*all->current || all->n == 0 ? "" : "; none is in use now: plx context use NAME");
    return CMD_YES;
}

static const struct verb verbs[] = {
    {"add", 2, "plx context add NAME TOKEN", context_add},
    {"list", 0, "plx context list", context_list},
    {"use", 1, "plx context use NAME", context_use},
    {"show", 0, "plx context show [NAME]", context_show},
    {"remove", 1, "plx context remove NAME", context_remove},
};
#define VERB_COUNT (sizeof verbs / sizeof *verbs)

static enum cmd_exit no_such_verb(const struct cmd_env *env, const char *text)
{
    const char *names[VERB_COUNT];
    char safe[128];
    for (size_t i = 0; i < VERB_COUNT; i++)
        names[i] = verbs[i].name;
    px_text_safe(text, 40, safe, sizeof safe);
    const char *near = px_text_suggest(text, names, VERB_COUNT);
    if (near)
        return cmd_misuse(env, "context has no verb \"%s\"; did you mean \"%s\"?", safe, near);
    return cmd_misuse(env, "context has no verb \"%s\"; there are add, list, use, show, remove",
                      safe);
}

static enum cmd_exit cmd_context_run(struct cmd_env *env)
{
    struct contexts all;
    enum cmd_exit code = CMD_MISUSE;
    const char *text = env->flags.word_count > 0 ? word(env, 0) : "list";
    size_t given = env->flags.word_count > 0 ? env->flags.word_count - 1 : 0, i = 0;
    while (i < VERB_COUNT && strcmp(verbs[i].name, text) != 0)
        i++;
    if (i == VERB_COUNT)
        return no_such_verb(env, text);
    size_t most = verbs[i].run == context_show ? 1 : verbs[i].words;
    if (given < verbs[i].words || given > most)
        return cmd_misuse(env, "write it as  %s", verbs[i].usage);
    if (config_open(env, &all, &code) == 0)
        code = verbs[i].run(env, &all);
    contexts_clear(&all);
    return code;
}

const struct cmd cmd_context_entry = {
    .name = "context",
    .synopsis = "context [add NAME TOKEN|list|use NAME|show [NAME]|remove NAME]",
    .summary = "which coordinator to ask",
    .examples = "  plx context add prod plu1-t3hd-...      with a user token of the coordinator\n"
                "  plx context list\n"
                "  plx context use prod\n"
                "  plx context show prod\n"
                "  plx context remove prod",
    .flags = context_flags,
    .run = cmd_context_run,
};
