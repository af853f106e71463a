/* SPDX-License-Identifier: MIT */
/* parallax-node: commands and signals; everything else is node.c. */
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/flags.h"
#include "common/log.h"
#include "common/text.h"
#include "probe-node/node.h"

enum { EXIT_MISUSE = 2, EXIT_NO_COORDINATOR = 4 };

static const char usage[] =
    "parallax-node: a vantage of a Parallax mesh\n"
    "\n"
    "  parallax-node run --state ~/node --name fra1 --label asn=64496 --join plx1-...\n"
    "  parallax-node run --state ~/node                  # later; it has joined\n"
    "  parallax-node join plx1-... --state ~/node --name fra1\n"
    "\n"
    "commands\n"
    "  run       join if it has not, then serve in the foreground until SIGTERM; logs to stderr\n"
    "  join      join only\n"
    "  version   print the version\n"
    "\n"
    "flags\n";

static const struct flag_spec flag_table[] = {
    {"state", 0, "DIR", "where key, mesh and politeness budget are kept"},
    {"name", 0, "NAME", "what the vantage is called; default: this machine's name"},
    {"label", 0, "KEY=VALUE", "network, asn, provider, region, site or any other; or a tag"},
    {"reference", 0, "HOST:PORT", "something that this vantage always reaches"},
    {"join", 0, "TOKEN", "token for nodes, used once"},
    {"config", 0, "FILE", "name, labels, references, budget and policy as YAML"},
    {"help", 'h', NULL, "print this"},
    {NULL, 0, NULL, NULL},
};

struct program {
    struct event_base *base;
    int exit_code;
};

static int complain(const struct px_err *err, int code)
{
    fprintf(stderr, "parallax-node: %s\n", err->message);
    for (const char *line = err->hint; *line;) {
        int length = (int)strcspn(line, "\n");
        fprintf(stderr, "     %.*s\n", length, line);
        line += length + (line[length] == '\n');
    }
    return code;
}

static void print_help(FILE *f)
{
    fputs(usage, f);
    for (const struct flag_spec *s = flag_table; s->name; s++)
        fprintf(f, "  --%-10s %-10s %s\n", s->name, s->value ? s->value : "", s->help);
}

static void program_on_end(void *arg, enum node_end end, const struct px_err *err)
{
    struct program *p = arg;
    if (end == NODE_BROKEN)
        p->exit_code = complain(err, EXIT_MISUSE);
    else if (end == NODE_TURNED_AWAY)
        p->exit_code =
            complain(err, strcmp(err->code, "name-taken") == 0 || strcmp(err->code, "bad-name") == 0
                              ? EXIT_MISUSE
                              : EXIT_NO_COORDINATOR);
    event_base_loopbreak(p->base);
}

static void program_on_signal(evutil_socket_t number, short what, void *arg)
{
    struct program *p = arg;
    (void)what;
    px_log(PX_LOG_INFO, "%s: stopping", number == SIGINT ? "interrupted" : "asked to stop");
    event_base_loopbreak(p->base);
}

/* The host's name made fit: lower case, up to the first dot. */
static void name_from_host(char *name, size_t size)
{
    char host[256] = "";
    if (gethostname(host, sizeof host - 1) != 0)
        return;
    host[strcspn(host, ".")] = '\0';
    for (char *c = host; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    if (px_name_valid(host))
        px_text_copy(name, size, host);
}

static int settings_take_token(struct settings *s, const char *text, struct px_err *err)
{
    if (token_parse(text, &s->token, err) != 0)
        return -1;
    if (s->token.role != TOKEN_NODE) {
        px_err_set(err, "bad-token", "this token is for a user (%s), not for a node",
                   token_role_name(s->token.role));
        return px_err_hint(err, "make one for nodes:  parallax-coordinator token --state DIR "
                                "--role node");
    }
    s->has_token = true;
    return 0;
}

static int settings_take_flags(struct settings *s, const struct flags *f, struct px_err *err)
{
    for (size_t i = 0; i < f->given_count; i++) {
        const char *name = f->given[i].spec->name, *value = f->given[i].value;
        int result = 0;
        if (strcmp(name, "state") == 0)
            s->state = value;
        else if (strcmp(name, "name") == 0)
            result = settings_set_name(s, value, err);
        else if (strcmp(name, "label") == 0)
            result = settings_add_label(s, value, err);
        else if (strcmp(name, "reference") == 0)
            result = settings_add_reference(s, value, err);
        else if (strcmp(name, "join") == 0)
            result = settings_take_token(s, value, err);
        if (result != 0)
            return -1;
    }
    if (flags_text(f, "config") && settings_read_file(s, flags_text(f, "config"), err) != 0)
        return -1;
    if (s->name[0] == '\0' && s->has_token)
        name_from_host(s->name, sizeof s->name);
    if (s->name[0] == '\0' && s->has_token)
        return px_err_set(err, "bad-name", "this machine's name is no vantage name; use --name");
    if (s->state)
        return 0;
    px_err_set(err, "bad-flag", "--state is missing");
    return px_err_hint(err, "name a directory of its own for this node:  --state DIR");
}

static int serve(const struct settings *s, bool join_only)
{
    struct program p = {.base = event_base_new(), .exit_code = EXIT_SUCCESS};
    struct node_events events = {program_on_end, &p};
    struct px_err err = {"", "", ""};
    struct event *term = evsignal_new(p.base, SIGTERM, program_on_signal, &p);
    struct event *interrupt = evsignal_new(p.base, SIGINT, program_on_signal, &p);
    evsignal_add(term, NULL);
    evsignal_add(interrupt, NULL);
    signal(SIGPIPE, SIG_IGN);
    struct node *n = node_open(p.base, s, join_only, &events, &err);
    if (n)
        event_base_dispatch(p.base);
    else
        p.exit_code = complain(&err, EXIT_MISUSE);
    node_close(n);
    event_free(term);
    event_free(interrupt);
    event_base_free(p.base);
    return p.exit_code;
}

static int command(const struct flags *f, int argc, char **argv)
{
    struct settings s;
    struct px_err err = {"", "", ""};
    bool join_only = strcmp(argv[1], "join") == 0;
    (void)argc;
    settings_init(&s);
    size_t words = join_only ? 1 : 0;
    if (f->word_count != words) {
        px_err_set(&err, "bad-flag", join_only ? "join needs a token" : "run takes only flags");
        px_err_hint(&err, "parallax-node --help");
        return complain(&err, EXIT_MISUSE);
    }
    if ((join_only && settings_take_token(&s, f->words[0], &err) != 0) ||
        settings_take_flags(&s, f, &err) != 0)
        return complain(&err, EXIT_MISUSE);
    return serve(&s, join_only);
}

int main(int argc, char **argv)
{
    struct flags f;
    struct px_err err = {"", "", ""};
    int code = EXIT_MISUSE;
    const char *verb = argc > 1 ? argv[1] : "--help";
    if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0 || strcmp(verb, "help") == 0) {
        print_help(argc > 1 ? stdout : stderr);
        return argc > 1 ? EXIT_SUCCESS : EXIT_MISUSE;
    }
    if (strcmp(verb, "version") == 0 || strcmp(verb, "--version") == 0) {
        puts("parallax-node " PARALLAX_VERSION);
        return EXIT_SUCCESS;
    }
    if (strcmp(verb, "run") != 0 && strcmp(verb, "join") != 0) {
        static const char *const verbs[] = {"run", "join", "version"};
        const char *near = px_text_suggest(verb, verbs, 3);
        char safe[128];
        px_err_set(&err, "bad-command", "no command \"%s\"%s%s%s",
                   px_text_safe(verb, 40, safe, sizeof safe), near ? "; did you mean \"" : "",
                   near ? near : "", near ? "\"?" : "");
        return complain(&err, EXIT_MISUSE);
    }
    flags_init(&f);
    if (flags_parse(&f, flag_table, NULL, argc - 2, argv + 2, false, &err) < 0)
        complain(&err, EXIT_MISUSE);
    else if (flags_has(&f, "help"))
        print_help(stdout), code = EXIT_SUCCESS;
    else
        code = command(&f, argc, argv);
    flags_clear(&f);
    return code;
}
