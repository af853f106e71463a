/* SPDX-License-Identifier: MIT */
/* Folder, endpoints, flags and configuration file of the coordinator: what is made, what is refused
 * and in which words. */
#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/args.h"
#include "coordinator/config.h"
#include "coordinator/state.h"

static char folder[64], inner[96];
static struct state state;
static struct state_made made;
static struct px_err err;

static void setup(void)
{
    strcpy(folder, "/tmp/parallax-state-XXXXXX");
    cr_assert(mkdtemp(folder));
    snprintf(inner, sizeof inner, "%s/coordinator", folder);
    memset(&err, 0, sizeof err);
    cr_assert_eq(state_init_paths(&state, inner, &err), 0);
}

static int remove_one(const char *name, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(name);
}

static void teardown(void)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(state, .init = setup, .fini = teardown);

static mode_t mode_of(const char *path)
{
    struct stat st;
    cr_assert_eq(stat(path, &st), 0, "%s", path);
    return st.st_mode & 0777;
}

Test(state, made_once_kept_ever_after)
{
    char fingerprint[KEY_FINGERPRINT_TEXT];
    cr_assert_eq(state_create(&state, NULL, &made, &err), 0, "%s", err.message);
    cr_expect(made.folder && made.keys && made.store);
    cr_expect_str_eq(made.listen, STATE_LISTEN_DEFAULT);
    cr_expect_eq(mode_of(state.key_path), 0600);
    cr_expect_eq(mode_of(state.store_path), 0600);
    cr_expect_eq(mode_of(inner), 0700);
    strcpy(fingerprint, made.fingerprint);
    cr_assert_eq(state_create(&state, "tcp://[::1]:9", &made, &err), 0, "%s", err.message);
    cr_expect_not(made.folder || made.keys || made.store);
    cr_expect_str_eq(made.listen, "tcp://[::1]:9");
    cr_expect_str_eq(made.fingerprint, fingerprint);
    cr_assert_eq(state_create(&state, NULL, &made, &err), 0);
    cr_expect_str_eq(made.listen, "tcp://[::1]:9", "remembered");
}

Test(state, nothing_is_made_for_a_bad_endpoint)
{
    cr_expect_eq(state_create(&state, "tcp://somewhere:1", &made, &err), -1);
    cr_expect_str_eq(err.code, "bad-endpoint");
    cr_expect_neq(access(inner, F_OK), 0);
}

Test(state, a_file_is_no_folder)
{
    FILE *f = fopen(inner, "w");
    cr_assert(f && fclose(f) == 0);
    cr_expect_eq(state_create(&state, NULL, &made, &err), -1);
    cr_expect_str_eq(err.code, "bad-path");
}

Test(state, keys_that_are_missing_or_open_to_all)
{
    struct key_pair keys;
    cr_expect_eq(state_load_keys(&state, &keys, &err), -1);
    cr_expect_str_eq(err.code, "no-keys");
    cr_expect(strstr(err.hint, "parallax-coordinator init --state "), "%s", err.hint);
    cr_assert_eq(state_create(&state, NULL, &made, &err), 0);
    cr_assert_eq(chmod(state.key_path, 0644), 0);
    cr_expect_eq(state_load_keys(&state, &keys, &err), -1);
    cr_expect_str_eq(err.code, "key-mode");
}

Test(state, one_coordinator_per_folder)
{
    cr_assert_eq(state_create(&state, NULL, &made, &err), 0);
    int fd = state_open_lock(&state, &err);
    cr_assert_geq(fd, 0);
    cr_expect_eq(state_open_lock(&state, &err), -1);
    cr_expect_str_eq(err.code, "state-in-use");
    close(fd);
    fd = state_open_lock(&state, &err);
    cr_expect_geq(fd, 0);
    close(fd);
}

Test(state, endpoints)
{
    struct px_addr addr;
    uint16_t port;
    static const char *const good[] = {"tcp://0.0.0.0:7331", "tcp://127.0.0.1:0", "tcp://[::]:7331",
                                       "tcp://[::1]:65535"};
    static const char *const bad[] = {"",
                                      "tcp://",
                                      "127.0.0.1:1",
                                      "tcp://127.0.0.1",
                                      "tcp://127.0.0.1:",
                                      "tcp://127.0.0.1:65536",
                                      "tcp://127.0.0.1:1x",
                                      "tcp://localhost:1",
                                      "tcp://::1:7331",
                                      "tcp://[::1:7331",
                                      "udp://127.0.0.1:1",
                                      "tcp://127.0.0.1:-1",
                                      "tcp://:1"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        cr_expect_eq(state_parse_endpoint(good[i], &addr, &port, &err), 0, "%s", good[i]);
    cr_expect_eq(port, 65535);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect_eq(state_parse_endpoint(bad[i], &addr, &port, &err), -1, "%s", bad[i]);
        cr_expect_str_eq(err.code, "bad-endpoint");
    }
}

Test(state, token_addresses)
{
    char host[256];
    uint16_t port;
    cr_expect_eq(state_parse_address("coord.example.net:7331", host, &port, &err), 0);
    cr_expect_str_eq(host, "coord.example.net");
    cr_expect_eq(state_parse_address("[::1]:5", host, &port, &err), 0);
    cr_expect_str_eq(host, "::1");
    static const char *const bad[] = {"", "h", "h:", "h:0", ":5", "::1:5", "h:99999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect_eq(state_parse_address(bad[i], host, &port, &err), -1, "%s", bad[i]);
        cr_expect_str_eq(err.code, "bad-address");
    }
}

Test(state, address_for_tokens_is_the_bound_one)
{
    char host[256];
    uint16_t port = 0;
    cr_assert_eq(state_create(&state, "tcp://127.0.0.1:0", &made, &err), 0);
    struct store *store = store_open(state.store_path, false, &err);
    cr_assert(store);
    cr_expect_eq(state_find_address(store, host, &port, &err), -1);
    cr_expect_str_eq(err.code, "no-address");
    cr_expect(strstr(err.hint, "--address"));
    cr_assert_eq(state_put_bound(store, "tcp://127.0.0.1:4444", &err), 0);
    cr_expect_eq(state_find_address(store, host, &port, &err), 0);
    cr_expect_str_eq(host, "127.0.0.1");
    cr_expect_eq(port, 4444);
    store_close(store);
    /* a newly chosen endpoint counts more than where it once was bound */
    cr_assert_eq(state_create(&state, "tcp://127.0.0.2:5555", &made, &err), 0);
    store = store_open(state.store_path, false, &err);
    cr_expect_eq(state_find_address(store, host, &port, &err), 0);
    cr_expect_str_eq(host, "127.0.0.2");
    store_close(store);
}

static const struct args_flag flags[] = {
    {"state", "DIR", ""}, {"listen", "WHERE", ""}, {NULL, NULL, NULL}};
static const struct args_spec spec = {"run", flags};

static int parse(const char *values[ARGS_MAX], int n, ...)
{
    char *argv[8];
    va_list args;
    va_start(args, n);
    for (int i = 0; i < n; i++)
        argv[i] = va_arg(args, char *);
    va_end(args);
    return args_parse(&spec, n, argv, values, &err);
}

Test(state, flags_in_both_forms)
{
    const char *values[ARGS_MAX];
    cr_expect_eq(parse(values, 3, "--state", "here", "--listen=there=1"), 0);
    cr_expect_str_eq(values[0], "here");
    cr_expect_str_eq(values[1], "there=1");
    cr_expect_eq(parse(values, 0), 0);
    cr_expect_null(values[0]);
}

Test(state, wrong_flags_are_named)
{
    const char *values[ARGS_MAX];
    cr_expect_eq(parse(values, 2, "--stat", "x"), -1);
    cr_expect_str_eq(err.message, "run: no flag \"--stat\"; did you mean \"--state\"?");
    cr_expect_eq(parse(values, 1, "--web=x"), -1);
    cr_expect_str_eq(err.message, "run: no flag \"--web\"");
    cr_expect_eq(parse(values, 1, "--state"), -1);
    cr_expect_str_eq(err.message, "run: --state needs a value: DIR");
    cr_expect_eq(parse(values, 4, "--state", "a", "--state", "b"), -1);
    cr_expect_str_eq(err.message, "run: --state is given twice");
    cr_expect_eq(parse(values, 1, "word"), -1);
    cr_expect(strstr(err.message, "not a flag"));
    uint32_t n;
    cr_expect_eq(args_parse_number("uses", "20", 1, 100, &n, &err), 0);
    cr_expect_eq(n, 20);
    static const char *const bad[] = {"", "0", "101", "1x", "-1", " 1", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_eq(args_parse_number("uses", bad[i], 1, 100, &n, &err), -1, "%s", bad[i]);
}

static int read_config(const char *text, struct config *c, char **errors)
{
    char path[128];
    snprintf(path, sizeof path, "%s/coordinator.yml", folder);
    FILE *f = fopen(path, "w");
    cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
    return config_read(path, c, errors, &err);
}

Test(state, configuration)
{
    struct config c;
    char *errors = NULL;
    cr_expect_eq(
        read_config("listen: {nodes: \"tcp://127.0.0.1:7331\"}\nlimits:\n  runs: 5\n", &c, &errors),
        0);
    cr_expect_str_eq(c.listen, "tcp://127.0.0.1:7331");
    cr_expect_eq(c.runs_max, 5);
    cr_expect_eq(c.per_user_max, 0);
    cr_expect_eq(read_config("", &c, &errors), 0);
    cr_expect_eq(config_read("/tmp/no/such/file.yml", &c, &errors, &err), -1);
    cr_expect_null(errors);
    cr_expect_str_eq(err.code, "no-file");
}

Test(state, all_errors_of_a_configuration_at_once)
{
    struct config c;
    char *errors = NULL;
    cr_assert_eq(
        read_config("listen: {nodes: \"localhost\", web: x}\nlimits: {runs: 0}\nlisten2: 1\n", &c,
                    &errors),
        -1);
    cr_assert(errors);
    cr_expect(strstr(errors, "coordinator.yml:1:"), "%s", errors);
    cr_expect(strstr(errors, "\"localhost\" is not an endpoint"), "%s", errors);
    cr_expect(strstr(errors, "\"web\""), "%s", errors);
    cr_expect(strstr(errors, "limits.runs"), "%s", errors);
    cr_expect(strstr(errors, "\"listen2\""), "%s", errors);
    cr_expect(strstr(errors, "4 errors"), "%s", errors);
    free(errors);
    cr_expect_eq(read_config("- a\n", &c, &errors), -1);
    cr_expect(errors && strstr(errors, "must be a map"));
    free(errors);
    cr_expect_eq(read_config("listen: x\n", &c, &errors), -1);
    cr_expect(errors && strstr(errors, "listen must be a map"));
    free(errors);
}
