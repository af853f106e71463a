/* SPDX-License-Identifier: MIT */
/* The embedded store in a folder of its own: what is kept, what is refused, what is said. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coordinator/store/store.h"
#include "coordinator/store/store_writer.h"

static char folder[64], path[80];
static struct px_err err;
static struct store *store;

static void setup(void)
{
    strcpy(folder, "/tmp/parallax-store-XXXXXX");
    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/coordinator.db", folder);
    memset(&err, 0, sizeof err);
}

static int remove_one(const char *name, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(name);
}

static void teardown(void)
{
    store_close(store);
    store = NULL;
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void open_store(void)
{
    store = store_open(path, true, &err);
    cr_assert(store, "%s", err.message);
}

static void write_file(const char *text, size_t size)
{
    FILE *f = fopen(path, "w");
    cr_assert(f);
    cr_assert_eq(fwrite(text, 1, size, f), size);
    cr_assert_eq(fclose(f), 0);
}

TestSuite(store, .init = setup, .fini = teardown);

Test(store, new_file_is_private_and_opens_again)
{
    struct stat st;
    open_store();
    cr_assert_eq(stat(path, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0600);
    store_close(store);
    store = store_open(path, false, &err);
    cr_expect(store, "%s", err.message);
}

Test(store, no_store_says_how_to_make_one)
{
    cr_expect_null(store_open(path, false, &err));
    cr_expect_str_eq(err.code, "no-store");
    cr_expect(strstr(err.hint, "parallax-coordinator init"), "%s", err.hint);
    cr_expect_neq(access(path, F_OK), 0, "nothing was made");
}

Test(store, folder_that_is_not_there)
{
    snprintf(path, sizeof path, "%s/no/such.db", folder);
    cr_expect_null(store_open(path, true, &err));
    cr_expect_str_eq(err.code, "store-failed");
    cr_expect(strstr(err.message, path), "%s", err.message);
}

Test(store, garbage_is_damaged)
{
    char garbage[8192];
    memset(garbage, 'x', sizeof garbage);
    write_file(garbage, sizeof garbage);
    cr_expect_null(store_open(path, true, &err));
    cr_expect_str_eq(err.code, "store-damaged", "%s: %s", err.code, err.message);
    cr_expect(err.hint[0]);
}

Test(store, a_torn_file_is_damaged_not_fatal)
{
    char *json = NULL, id[PX_ID_TEXT], page[4096];
    open_store();
    for (int i = 0; i < 200; i++) {
        struct store_run run = {.started = i, .url = "u", .status = "s", .json = page};
        memset(page, 'a', sizeof page - 1);
        page[sizeof page - 1] = '\0';
        snprintf(run.id, sizeof run.id, "01RUN%05d", i);
        cr_assert_eq(store_add_run(store, &run, &err), 0);
    }
    store_close(store);
    store = NULL;
    int fd = open(path, O_RDWR);
    memset(page, 0xee, sizeof page);
    for (int i = 3; i < 200; i++)
        cr_assert_eq(pwrite(fd, page, sizeof page, i * 4096L), (ssize_t)sizeof page);
    close(fd);
    store = store_open(path, false, &err);
    int found = store ? store_find_run(store, "01RUN00100", id, &json, &err) : -1;
    cr_expect_eq(found, -1);
    cr_expect_str_eq(err.code, "store-damaged", "%s: %s", err.code, err.message);
    cr_expect_null(json);
}

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    cr_assert_eq(system(line), 0, "%s", line); /* NOLINT(cert-env33-c) */
}

static void python(const char *statement)
{
    shell("python3 -c 'import sqlite3; c = sqlite3.connect(\"%s\"); c.execute(\"%s\"); c.commit()'",
          path, statement);
}

Test(store, newer_schema_is_refused)
{
    open_store();
    store_close(store);
    store = NULL;
    python("PRAGMA user_version = 99");
    cr_expect_null(store_open(path, false, &err));
    cr_expect_str_eq(err.code, "store-version", "%s", err.message);
    cr_expect(strstr(err.message, "99"), "%s", err.message);
}

Test(store, database_of_another_program_is_refused)
{
    python("CREATE TABLE theirs(x)");
    cr_expect_null(store_open(path, true, &err));
    cr_expect_str_eq(err.code, "store-foreign", "%s: %s", err.code, err.message);
}

Test(store, read_only_is_said)
{
    open_store();
    store_close(store);
    store = NULL;
    cr_assert_eq(chmod(path, 0444), 0);
    cr_assert_eq(chmod(folder, 0755), 0);
    if (geteuid() == 0)
        cr_assert_eq(setuid(65534), 0); /* this test is a process of its own */
    cr_expect_null(store_open(path, false, &err));
    cr_expect_str_eq(err.code, "store-read-only", "%s: %s", err.code, err.message);
}

Test(store, settings)
{
    char value[STORE_SETTING_MAX];
    open_store();
    cr_expect_eq(store_find_setting(store, "listen", value, &err), 0);
    cr_expect_eq(store_put_setting(store, "listen", "tcp://127.0.0.1:1", &err), 0);
    cr_expect_eq(store_put_setting(store, "listen", "tcp://127.0.0.1:2", &err), 0);
    cr_expect_eq(store_find_setting(store, "listen", value, &err), 1);
    cr_expect_str_eq(value, "tcp://127.0.0.1:2");
}

static struct store_token token_of(uint8_t mark, const char *role, uint32_t uses)
{
    struct store_token t = {.uses = uses, .uses_left = uses, .created = 100, .expires = 1000};
    memset(t.hash, mark, sizeof t.hash);
    strcpy(t.role, role);
    return t;
}

static struct store_peer peer_of(uint8_t mark, const char *name)
{
    struct store_peer p = {0};
    memset(p.key, mark, sizeof p.key);
    strcpy(p.name, name);
    strcpy(p.version, "0.1.0");
    strcpy(p.can, "tcp,ssh");
    cr_assert(px_addr_parse("2001:db8::7", &p.source));
    strcpy(p.labels[0].key, "asn");
    strcpy(p.labels[0].value, "64496");
    strcpy(p.labels[1].key, "eu");
    p.label_count = 2;
    return p;
}

static void keep_peer(void *arg, const struct store_peer *p)
{
    struct store_peer **next = arg;
    *(*next)++ = *p;
}

Test(store, enrolment_spends_the_token_and_keeps_the_peer)
{
    struct store_token t = token_of(1, "node", 2), found;
    struct store_peer a = peer_of(10, "fra1"), b = peer_of(11, "hel1"), c = peer_of(12, "iad1");
    open_store();
    cr_assert_eq(store_add_token(store, &t, &err), 0);
    cr_expect_eq(store_enrol(store, t.hash, 200, &a, &found, &err), STORE_ENROL_OK);
    cr_expect_eq(found.uses_left, 1);
    cr_expect_eq(store_enrol(store, t.hash, 300, &b, &found, &err), STORE_ENROL_OK);
    cr_expect_eq(store_enrol(store, t.hash, 400, &c, &found, &err), STORE_ENROL_USED_UP);
    cr_expect_eq(found.uses, 2);
    cr_expect_neq(a.id, b.id);

    store_close(store);
    store = store_open(path, false, &err);
    struct store_peer peers[4], *next = peers;
    cr_assert_eq(store_each_peer(store, keep_peer, &next, &err), 0);
    cr_assert_eq(next - peers, 2);
    cr_expect_str_eq(peers[0].name, "fra1");
    cr_expect_str_eq(peers[0].role, "node");
    cr_expect_str_eq(peers[0].state, "active");
    cr_expect_eq(peers[0].joined, 200);
    cr_expect_arr_eq(peers[0].key, a.key, sizeof a.key);
    cr_expect(px_addr_equal(&peers[0].source, &a.source));
    cr_assert_eq(peers[0].label_count, 2);
    cr_expect_str_eq(peers[0].labels[0].key, "asn");
    cr_expect_str_eq(peers[0].labels[0].value, "64496");
    cr_expect_str_eq(peers[0].labels[1].key, "eu");
    cr_expect_str_eq(peers[0].labels[1].value, "");
    cr_expect_str_eq(peers[0].can, "tcp,ssh");
}

Test(store, tokens_end)
{
    struct store_token t = token_of(1, "node", 2), found;
    struct store_peer a = peer_of(10, "fra1");
    uint8_t other[STORE_HASH_BYTES] = {9};
    open_store();
    cr_assert_eq(store_add_token(store, &t, &err), 0);
    cr_expect_eq(store_enrol(store, other, 200, &a, &found, &err), STORE_ENROL_NO_TOKEN);
    cr_expect_eq(store_enrol(store, t.hash, 1000, &a, &found, &err), STORE_ENROL_EXPIRED);
    cr_expect_eq(found.expires, 1000);
    cr_expect_eq(store_enrol(store, t.hash, 999, &a, &found, &err), STORE_ENROL_OK);
}

Test(store, a_name_is_taken_once_per_kind_and_costs_no_use)
{
    struct store_token t = token_of(1, "node", 5), u = token_of(2, "operator", 5), found;
    struct store_peer a = peer_of(10, "fra1"), b = peer_of(11, "fra1"), c = peer_of(12, "fra1");
    struct store_peer d = peer_of(13, "hel1");
    open_store();
    cr_assert_eq(store_add_token(store, &t, &err), 0);
    cr_assert_eq(store_add_token(store, &u, &err), 0);
    cr_expect_eq(store_enrol(store, t.hash, 200, &a, &found, &err), STORE_ENROL_OK);
    cr_expect_eq(store_enrol(store, t.hash, 200, &b, &found, &err), STORE_ENROL_NAME_TAKEN);
    cr_expect_eq(store_enrol(store, u.hash, 200, &c, &found, &err), STORE_ENROL_OK);
    cr_expect_eq(store_enrol(store, t.hash, 200, &d, &found, &err), STORE_ENROL_OK);
    cr_expect_eq(found.uses_left, 3, "the refused one was free");
}

Test(store, facts_about_a_peer_are_updated)
{
    struct store_token t = token_of(1, "node", 1), found;
    struct store_peer a = peer_of(10, "fra1");
    open_store();
    cr_assert_eq(store_add_token(store, &t, &err), 0);
    cr_assert_eq(store_enrol(store, t.hash, 200, &a, &found, &err), STORE_ENROL_OK);
    a.last_seen = 777;
    a.label_count = 0;
    strcpy(a.version, "0.2.0");
    cr_expect_eq(store_update_peer(store, &a, &err), 0);
    struct store_peer peers[2], *next = peers;
    cr_assert_eq(store_each_peer(store, keep_peer, &next, &err), 0);
    cr_expect_eq(peers[0].last_seen, 777);
    cr_expect_eq(peers[0].label_count, 0);
    cr_expect_str_eq(peers[0].version, "0.2.0");
    cr_expect_eq(peers[0].joined, 200);
}

static void add_run(const char *id, px_wall started)
{
    struct store_run r = {.started = started, .url = "ssh://h:22", .status = "partial"};
    char json[64];
    snprintf(json, sizeof json, "{\"id\":\"%s\"}", id);
    snprintf(r.id, sizeof r.id, "%s", id);
    r.json = json;
    cr_assert_eq(store_add_run(store, &r, &err), 0, "%s", err.message);
}

Test(store, runs_are_found_by_a_unique_beginning)
{
    char id[PX_ID_TEXT], *json;
    open_store();
    add_run("01JD3KQ8M2AAAAAAAAAAAAAAAA", 1);
    add_run("01JD3KQ8M2BBBBBBBBBBBBBBBB", 2);
    add_run("01JD3M1V7CAAAAAAAAAAAAAAAA", 3);
    cr_expect_eq(store_find_run(store, "01JD3M1V7C", id, &json, &err), 1);
    cr_expect_str_eq(id, "01JD3M1V7CAAAAAAAAAAAAAAAA");
    cr_expect_str_eq(json, "{\"id\":\"01JD3M1V7CAAAAAAAAAAAAAAAA\"}");
    free(json);
    cr_expect_eq(store_find_run(store, "01JD3KQ8M2", id, &json, &err), 2);
    cr_expect_null(json);
    cr_expect_eq(store_find_run(store, "01ZZZZZZZZ", id, &json, &err), 0);
    cr_expect_eq(store_find_run(store, "", id, &json, &err), 0);
    cr_expect_eq(store_find_run(store, "01JD3KQ8M2BBBBBBBBBBBBBBBB", id, &json, &err), 1);
    free(json);
    cr_expect_eq(store_remove_runs(store, 3, &err), 0);
    cr_expect_eq(store_find_run(store, "01JD3K", id, &json, &err), 0);
    cr_expect_eq(store_find_run(store, "01JD3M", id, &json, &err), 1);
    free(json);
}

Test(store, another_process_sees_a_token_at_once)
{
    struct store_token t = token_of(1, "node", 1), found;
    struct store_peer a = peer_of(10, "fra1");
    open_store();
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct store *mine = store_open(path, false, &err);
        _exit(mine && store_add_token(mine, &t, &err) == 0 ? 0 : 1);
    }
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    cr_expect_eq(store_enrol(store, t.hash, 200, &a, &found, &err), STORE_ENROL_OK);
}

TestSuite(store_writer, .init = setup, .fini = teardown);

static char *json_of(size_t size)
{
    char *json = malloc(size + 1);
    memset(json, 'j', size);
    json[size] = '\0';
    return json;
}

static void write_run(struct store_writer *w, int n, size_t size)
{
    struct store_run r = {.started = px_wall_now(), .url = "tcp://h:1", .status = "reachable"};
    snprintf(r.id, sizeof r.id, "01RUN%08d", n);
    store_writer_add_run(w, &r, json_of(size));
}

Test(store_writer, writes_everything_before_it_stops)
{
    char id[PX_ID_TEXT], *json;
    open_store();
    struct store_writer *w = store_writer_open(path, &err);
    cr_assert(w, "%s", err.message);
    for (int i = 0; i < 500; i++)
        write_run(w, i, 1000);
    store_writer_add_audit(w, 1, "ann", "check", "ssh://h:22");
    store_writer_close(w);
    for (int i = 0; i < 500; i += 99) {
        char want[PX_ID_TEXT];
        snprintf(want, sizeof want, "01RUN%08d", i);
        cr_expect_eq(store_find_run(store, want, id, &json, &err), 1, "%s", want);
        free(json);
    }
}

Test(store_writer, old_runs_are_forgotten)
{
    char id[PX_ID_TEXT], *json;
    open_store();
    add_run("01OLD000000000000000000000", px_wall_now() - STORE_KEEP_RUNS - PX_SEC);
    struct store_writer *w = store_writer_open(path, &err);
    cr_assert(w);
    write_run(w, 1, 10);
    store_writer_flush(w);
    cr_expect_eq(store_find_run(store, "01OLD00000", id, &json, &err), 0);
    cr_expect_eq(store_find_run(store, "01RUN00000001", id, &json, &err), 1);
    free(json);
    store_writer_close(w);
}

Test(store_writer, a_full_disk_is_counted_and_recovers)
{
    char id[PX_ID_TEXT], *json;
    struct rlimit limit, small;
    signal(SIGXFSZ, SIG_IGN);
    open_store();
    struct store_writer *w = store_writer_open(path, &err);
    cr_assert(w);
    write_run(w, 1, 10);
    store_writer_flush(w);
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 256 << 10;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    write_run(w, 2, 4 << 20);
    store_writer_flush(w);
    cr_expect_eq(store_writer_lost(w), 1);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    write_run(w, 3, 4 << 20);
    store_writer_flush(w);
    cr_expect_eq(store_writer_lost(w), 1);
    cr_expect_eq(store_find_run(store, "01RUN00000003", id, &json, &err), 1);
    free(json);
    cr_expect_eq(store_find_run(store, "01RUN00000002", id, &json, &err), 0);
    store_writer_close(w);
}

Test(store_writer, the_queue_has_an_end)
{
    open_store();
    cr_assert_eq(store_begin(store, &err), 0); /* the writer has to wait for us */
    struct store_writer *w = store_writer_open(path, &err);
    cr_assert(w);
    for (unsigned i = 0; i < 2 * STORE_QUEUE_MAX + 10; i++)
        store_writer_add_audit(w, 1, "a", "b", "c");
    cr_expect_geq(store_writer_lost(w), 1);
    cr_assert_eq(store_commit(store, &err), 0);
    store_writer_close(w);
}
