/* SPDX-License-Identifier: MIT */
/*
 * parallax-coordinator: the command line. One row per command; what a coordinator does is in
 * coordinator.c, what its folder holds in state.c.
 */
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "common/log.h"
#include "common/text.h"
#include "coordinator/args.h"
#include "coordinator/config.h"
#include "coordinator/coordinator.h"
#include "coordinator/state.h"

enum exit_code { EXIT_FINE = 0, EXIT_TROUBLE = 1, EXIT_MISUSE = 2 };

#define TOKEN_TTL (24L * 3600 * PX_SEC)
#define TOKEN_TTL_MAX (366L * 24 * 3600 * PX_SEC)
#define TOKEN_USES_NODE 20
#define TOKEN_USES_USER 1
#define TOKEN_USES_MAX 100000

#define FLAG_STATE                                                                                 \
    {                                                                                              \
        "state", "DIR", "folder with key and store"                                                \
    }
#define FLAG_END                                                                                   \
    {                                                                                              \
        NULL, NULL, NULL                                                                           \
    }

static const struct args_flag init_flags[] = {
    FLAG_STATE,
    {"listen", "tcp://ADDR:PORT", "where run listens from now on, default " STATE_LISTEN_DEFAULT},
    FLAG_END};
static const struct args_flag run_flags[] = {
    FLAG_STATE,
    {"listen", "tcp://ADDR:PORT", "default: as said to init; port 0 = any free one"},
    {"config", "FILE", "coordinator.yml: listen.nodes, limits.runs, limits.runs_per_user"},
    FLAG_END};
static const struct args_flag token_flags[] = {
    FLAG_STATE,
    {"role", "node|operator|viewer", "who may join with it"},
    {"uses", "N", "how often, default 20 for nodes, 1 for users"},
    {"ttl", "24h", "how long, default 24h"},
    {"address", "HOST:PORT", "how the joining side reaches this coordinator"},
    FLAG_END};
static const struct args_flag state_only_flags[] = {FLAG_STATE, FLAG_END};
static const struct args_flag no_flags[] = {FLAG_END};

static int say(const struct px_err *err, enum exit_code code)
{
    const char *line = err->hint;
    (void)fprintf(stderr, "parallax-coordinator: %s\n", err->message);
    while (*line) {
        size_t length = strcspn(line, "\n");
        (void)fprintf(stderr, "     %.*s\n", (int)length, line);
        line += length + (line[length] == '\n');
    }
    return code;
}

/* Wrong words are the caller's fault, the rest is the machine's. */
static int say_state(const struct px_err *err)
{
    static const char *const misuse[] = {"bad-path",   "bad-endpoint", "bad-address",
                                         "no-address", "no-keys",      "no-store"};
    for (size_t i = 0; i < sizeof misuse / sizeof *misuse; i++)
        if (strcmp(err->code, misuse[i]) == 0)
            return say(err, EXIT_MISUSE);
    return say(err, EXIT_TROUBLE);
}

static int paths_of(const char *folder, struct state *s, struct px_err *err)
{
    if (!folder)
        return px_err_set(err, "bad-path", "--state DIR is missing");
    return state_init_paths(s, folder, err);
}

/* ---- init ---- */

static int command_init(const char **values)
{
    struct state s;
    struct state_made made;
    struct px_err err = {0};
    if (paths_of(values[0], &s, &err) != 0 || state_create(&s, values[1], &made, &err) != 0)
        return say_state(&err);
    (void)printf("  %s  keys         %s (mode 0600)\n", made.keys ? "made" : "kept", s.key_path);
    (void)printf("  %s  store        %s\n", made.store ? "made" : "kept", s.store_path);
    (void)printf("        listen       %s\n", made.listen);
    (void)printf("        fingerprint  %s\n", made.fingerprint);
    (void)printf("next    parallax-coordinator run --state %s\n", s.folder);
    return EXIT_FINE;
}

/* ---- run ---- */

struct running {
    struct event_base *base;
    struct coordinator *coordinator;
};

static void run_on_stopped(void *arg)
{
    struct running *r = arg;
    event_base_loopbreak(r->base);
}

static void run_on_signal(evutil_socket_t number, short what, void *arg)
{
    struct running *r = arg;
    (void)what;
    px_log(PX_LOG_INFO, "%s: stopping", number == SIGINT ? "interrupted" : "told to stop");
    coordinator_stop(r->coordinator, run_on_stopped, r);
}

/* Serve until a signal says stop. */
static void run_serve(struct running *r)
{
    struct event *term = evsignal_new(r->base, SIGTERM, run_on_signal, r);
    struct event *interrupt = evsignal_new(r->base, SIGINT, run_on_signal, r);
    event_add(term, NULL);
    event_add(interrupt, NULL);
    (void)fprintf(stderr, "ready %s fingerprint %s\n", coordinator_endpoint(r->coordinator),
                  coordinator_fingerprint(r->coordinator));
    event_base_dispatch(r->base);
    event_free(term);
    event_free(interrupt);
}

static int run_read_config(const char *path, struct config *config)
{
    struct px_err err = {0};
    char *errors = NULL;
    memset(config, 0, sizeof *config);
    if (!path || config_read(path, config, &errors, &err) == 0)
        return 0;
    if (!errors)
        return say(&err, EXIT_MISUSE);
    (void)fprintf(stderr, "%s; not started\n", errors);
    free(errors);
    return EXIT_MISUSE;
}

static int command_run(const char **values)
{
    struct state s;
    struct config config;
    struct px_err err = {0};
    int wrong = run_read_config(values[2], &config);
    if (wrong)
        return wrong;
    if (paths_of(values[0], &s, &err) != 0)
        return say_state(&err);
    struct coordinator_options options = {.folder = s.folder,
                                          .listen = values[1],
                                          .runs_max = config.runs_max,
                                          .per_user_max = config.per_user_max};
    if (!options.listen && config.listen[0])
        options.listen = config.listen;
    struct running r = {.base = event_base_new()};
    if (!r.base)
        abort(); /* memory is out, as in px_xcalloc */
    (void)signal(SIGPIPE, SIG_IGN);
    r.coordinator = coordinator_open(r.base, &options, &err);
    int result = r.coordinator ? EXIT_FINE : say_state(&err);
    if (r.coordinator)
        run_serve(&r);
    coordinator_close(r.coordinator);
    event_base_free(r.base);
    return result;
}

/* ---- token ---- */

static int token_read_flags(const char **values, struct store_token *t, struct token *token,
                            struct px_err *err)
{
    int64_t ttl = TOKEN_TTL;
    int role = values[1] ? token_role_parse(values[1]) : -1;
    if (role < 0)
        return px_err_set(err, "bad-flag", "--role is %s%s; say node, operator or viewer",
                          values[1] ? "not " : "missing", values[1] ? values[1] : "");
    token->role = (enum token_role)role;
    t->uses = role == TOKEN_NODE ? TOKEN_USES_NODE : TOKEN_USES_USER;
    if (values[2] && args_parse_number("uses", values[2], 1, TOKEN_USES_MAX, &t->uses, err) != 0)
        return -1;
    if (values[3] && px_duration_parse("--ttl", values[3], &ttl, err) != 0)
        return -1;
    if (ttl <= 0 || ttl > TOKEN_TTL_MAX)
        return px_err_set(err, "bad-flag", "--ttl is %s, allowed 1s to 366d", values[3]);
    px_text_copy(t->role, sizeof t->role, token_role_name(token->role));
    t->uses_left = t->uses;
    t->created = px_wall_now();
    t->expires = t->created + ttl;
    return values[4] ? state_parse_address(values[4], token->host, &token->port, err) : 0;
}

/* The secret stays in the token's text; the store gets its hash. */
static int token_make(const struct state *s, struct token *token, struct store_token *t,
                      struct px_err *err)
{
    struct key_pair keys;
    if (state_load_keys(s, &keys, err) != 0)
        return -1;
    memcpy(token->server_key, keys.public_key, sizeof token->server_key);
    key_clear(&keys);
    struct store *store = store_open(s->store_path, false, err);
    if (!store)
        return -1;
    int failed = token->host[0] ? 0 : state_find_address(store, token->host, &token->port, err);
    if (!failed && getrandom(token->secret, sizeof token->secret, 0) != sizeof token->secret)
        failed = px_err_set(err, "no-random", "the kernel gives no random bytes");
    token_secret_hash(token->secret, t->hash);
    if (!failed)
        failed = store_add_token(store, t, err);
    if (!failed)
        store_add_audit(store, t->created, "local", "token", t->role, NULL);
    store_close(store);
    return failed;
}

static int command_token(const char **values)
{
    struct state s;
    struct token token = {0};
    struct store_token stored = {0};
    struct px_err err = {0};
    char text[TOKEN_TEXT_MAX];
    if (token_read_flags(values, &stored, &token, &err) != 0)
        return say(&err, EXIT_MISUSE);
    if (paths_of(values[0], &s, &err) != 0 || token_make(&s, &token, &stored, &err) != 0)
        return say_state(&err);
    (void)puts(token_format(&token, text));
    return EXIT_FINE;
}

/* ---- the small ones ---- */

static int command_fingerprint(const char **values)
{
    struct state s;
    struct key_pair keys;
    struct px_err err = {0};
    char text[KEY_FINGERPRINT_TEXT];
    if (paths_of(values[0], &s, &err) != 0 || state_load_keys(&s, &keys, &err) != 0)
        return say_state(&err);
    (void)puts(key_fingerprint(keys.public_key, text));
    key_clear(&keys);
    return EXIT_FINE;
}

static int command_version(const char **values)
{
    (void)values;
    (void)puts("parallax-coordinator " PARALLAX_VERSION);
    return EXIT_FINE;
}

static int command_help(const char **values);

static const struct command {
    const char *name, *summary;
    const struct args_flag *flags;
    int (*run)(const char **values);
} commands[] = {
    {"init", "make keys and an empty store; harmless when they are there", init_flags,
     command_init},
    {"run", "serve in the foreground until SIGTERM or SIGINT", run_flags, command_run},
    {"token", "print a token that lets a node or a user join", token_flags, command_token},
    {"fingerprint", "print the fingerprint of the server key", state_only_flags,
     command_fingerprint},
    {"version", "print the version", no_flags, command_version},
    {"help", "print this", no_flags, command_help},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static int command_help(const char **values)
{
    (void)values;
    (void)puts("Try\n"
               "  parallax-coordinator init --state DIR\n"
               "  parallax-coordinator run --state DIR --listen " STATE_LISTEN_DEFAULT "\n"
               "  parallax-coordinator token --state DIR --role node\n\nCommands");
    for (size_t i = 0; i < COMMANDS; i++) {
        (void)printf("  %-12s %s\n", commands[i].name, commands[i].summary);
        for (const struct args_flag *f = commands[i].flags; f->name; f++)
            (void)printf("      --%s %s%*s %s\n", f->name, f->value,
                         (int)(30 - strlen(f->name) - strlen(f->value)), "", f->text);
    }
    (void)puts("\nPARALLAX_LOG=error|warn|info|debug says how much run writes to stderr.");
    return EXIT_FINE;
}

static const struct command *command_find(const char *name, struct px_err *err)
{
    const char *names[COMMANDS];
    char safe[128];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0)
        name = "version";
    for (size_t i = 0; i < COMMANDS; i++) {
        names[i] = commands[i].name;
        if (strcmp(name, commands[i].name) == 0)
            return &commands[i];
    }
    const char *near = px_text_suggest(name, names, COMMANDS);
    px_text_safe(name, 40, safe, sizeof safe);
    if (near)
        px_err_set(err, "bad-command", "no command \"%s\"; did you mean \"%s\"?", safe, near);
    else
        px_err_set(err, "bad-command", "no command \"%s\"", safe);
    px_err_hint(err, "parallax-coordinator help");
    return NULL;
}

int main(int argc, char **argv)
{
    struct px_err err = {0};
    const char *values[ARGS_MAX];
    const struct command *command = command_find(argc > 1 ? argv[1] : "help", &err);
    umask(077); /* everything in the state folder is private */
    if (!command)
        return say(&err, EXIT_MISUSE);
    if (argc == 3 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0))
        return command_help(values);
    struct args_spec spec = {command->name, command->flags};
    if (args_parse(&spec, argc > 2 ? argc - 2 : 0, argv + 2, values, &err) != 0) {
        px_err_hint(&err, "parallax-coordinator help");
        return say(&err, EXIT_MISUSE);
    }
    return command->run(values);
}
