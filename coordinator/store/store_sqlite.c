/* SPDX-License-Identifier: MIT */
/*
 * The embedded store: SQLite in WAL mode with full synchronisation, prepared statements, a schema
 * that is brought up to date by a table of migrations. Decides nothing; every rule about tokens and
 * names that needs a transaction is here because it needs one.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/text.h"
#include "coordinator/store/store.h"

#define APPLICATION_ID 0x50784c58 /* tells our file from any other database */
#define BUSY_MS 2000
#define PREFIX_MIN 6

/* Index = schema version before the step. Never change a row that was released: add one. */
static const char *const migrations[] = {
    "CREATE TABLE settings(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE peers(id INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL UNIQUE,"
    " role TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, joined INTEGER NOT NULL,"
    " last_seen INTEGER NOT NULL, source TEXT NOT NULL, version TEXT NOT NULL, can TEXT NOT NULL,"
    " labels TEXT NOT NULL);"
    "CREATE UNIQUE INDEX peers_name ON peers(role = 'node', name) WHERE state = 'active';"
    "CREATE TABLE tokens(hash BLOB PRIMARY KEY, role TEXT NOT NULL, uses INTEGER NOT NULL,"
    " uses_left INTEGER NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE runs(id TEXT PRIMARY KEY, started INTEGER NOT NULL, url TEXT NOT NULL,"
    " status TEXT NOT NULL, json TEXT NOT NULL);"
    "CREATE INDEX runs_started ON runs(started);"
    "CREATE TABLE audit(id INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL,"
    " what TEXT NOT NULL, detail TEXT NOT NULL);",
};
#define SCHEMA_VERSION ((int)(sizeof migrations / sizeof *migrations))

enum statement {
    ST_PUT_SETTING,
    ST_FIND_SETTING,
    ST_EACH_PEER,
    ST_ADD_PEER,
    ST_UPDATE_PEER,
    ST_ADD_TOKEN,
    ST_FIND_TOKEN,
    ST_USE_TOKEN,
    ST_ADD_RUN,
    ST_FIND_RUN,
    ST_REMOVE_RUNS,
    ST_ADD_AUDIT,
    ST_COUNT
};

static const char *const statement_sql[] = {
    [ST_PUT_SETTING] = "INSERT OR REPLACE INTO settings(name, value) VALUES(?1, ?2)",
    [ST_FIND_SETTING] = "SELECT value FROM settings WHERE name = ?1",
    [ST_EACH_PEER] = "SELECT id, key, role, name, state, joined, last_seen, source, version, can,"
                     " labels FROM peers ORDER BY id",
    [ST_ADD_PEER] = "INSERT INTO peers(key, role, name, state, joined, last_seen, source, version,"
                    " can, labels) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [ST_UPDATE_PEER] = "UPDATE peers SET last_seen = ?2, source = ?3, version = ?4, can = ?5,"
                       " labels = ?6 WHERE id = ?1",
    [ST_ADD_TOKEN] = "INSERT INTO tokens(hash, role, uses, uses_left, created, expires)"
                     " VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [ST_FIND_TOKEN] = "SELECT role, uses, uses_left, created, expires FROM tokens WHERE hash = ?1",
    [ST_USE_TOKEN] = "UPDATE tokens SET uses_left = uses_left - 1 WHERE hash = ?1",
    [ST_ADD_RUN] = "INSERT OR REPLACE INTO runs(id, started, url, status, json)"
                   " VALUES(?1, ?2, ?3, ?4, ?5)",
    [ST_FIND_RUN] = "SELECT id, json FROM runs WHERE id >= ?1 AND id < ?1 || '~'"
                    " ORDER BY id LIMIT 2",
    [ST_REMOVE_RUNS] = "DELETE FROM runs WHERE started < ?1",
    [ST_ADD_AUDIT] = "INSERT INTO audit(at, who, what, detail) VALUES(?1, ?2, ?3, ?4)",
};
_Static_assert(sizeof statement_sql / sizeof *statement_sql == ST_COUNT, "one text per statement");

struct store {
    sqlite3 *db;
    char *path;
    sqlite3_stmt *statements[ST_COUNT];
};

/* What the engine says, as one of our codes with something to do about it. */
static const struct {
    int result;
    const char *code, *what, *hint;
} failures[] = {
    {SQLITE_NOTADB, "store-damaged", "is not a database",
     "move it away and run  parallax-coordinator init,  or restore a copy"},
    {SQLITE_CORRUPT, "store-damaged", "is damaged",
     "stop the coordinator and restore a copy, or move the file away and run  "
     "parallax-coordinator init"},
    {SQLITE_READONLY, "store-read-only", "cannot be written",
     "check owner and mode of the file and its folder, and whether the disk is mounted read-only"},
    {SQLITE_PERM, "store-read-only", "cannot be written", "check owner and mode"},
    {SQLITE_FULL, "store-full", "cannot grow: the disk is full", "make room"},
    {SQLITE_BUSY, "store-busy", "is locked by another process", "try again in a moment"},
    {SQLITE_CANTOPEN, "store-failed", "cannot be opened",
     "check owner and mode of the file and its folder"},
};

static int store_fail(const struct store *s, struct px_err *err)
{
    int result = sqlite3_errcode(s->db) & 0xff;
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        if (failures[i].result != result)
            continue;
        px_err_set(err, failures[i].code, "%s %s", s->path, failures[i].what);
        return px_err_hint(err, "%s", failures[i].hint);
    }
    return px_err_set(err, "store-failed", "%s: %s", s->path, sqlite3_errmsg(s->db));
}

/* ---- small parts: binding and stepping ---- */

static int exec(struct store *s, const char *sql, struct px_err *err)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : store_fail(s, err);
}

static int pragma_number(struct store *s, const char *sql, int *out, struct px_err *err)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK ||
        sqlite3_step(st) != SQLITE_ROW) {
        store_fail(s, err);
        sqlite3_finalize(st);
        return -1;
    }
    *out = sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    return 0;
}

static void bind_text(sqlite3_stmt *st, int index, const char *text)
{
    sqlite3_bind_text(st, index, text, -1, SQLITE_TRANSIENT);
}

static void bind_borrowed(sqlite3_stmt *st, int index, const char *text)
{
    sqlite3_bind_text(st, index, text, -1, SQLITE_STATIC);
}

static void column_text(sqlite3_stmt *st, int index, char *out, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(st, index);
    px_text_copy(out, size, text ? text : "");
}

/* Run a statement that gives no rows, and leave it ready for the next time. */
static int finish(struct store *s, sqlite3_stmt *st, struct px_err *err)
{
    int result = sqlite3_step(st);
    int failed = result == SQLITE_DONE ? 0 : store_fail(s, err);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return failed;
}

static void rewind_statement(sqlite3_stmt *st)
{
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
}

/* ---- opening ---- */

/* Opens the file only to make it: closing any descriptor of an existing database would drop the
 * locks that another connection of this process holds on it, and lose what others write. */
static int file_prepare(const char *path, bool create, struct px_err *err)
{
    if (access(path, F_OK) == 0)
        return 0;
    int fd = create ? open(path, O_RDONLY | O_CLOEXEC | O_CREAT | O_EXCL, 0600) : -1;
    if (fd >= 0) {
        close(fd);
        return 0;
    }
    if (errno == EEXIST)
        return 0;
    if (errno == ENOENT && !create) {
        px_err_set(err, "no-store", "there is no store %s", path);
        return px_err_hint(err, "parallax-coordinator init --state DIR  makes one");
    }
    return px_err_set(err, "store-failed", "%s: %s", path, strerror(errno));
}

static int schema_check(struct store *s, int *version, struct px_err *err)
{
    int application = 0, tables = 0;
    if (pragma_number(s, "PRAGMA user_version", version, err) != 0 ||
        pragma_number(s, "PRAGMA application_id", &application, err) != 0 ||
        pragma_number(s, "SELECT count(*) FROM sqlite_master", &tables, err) != 0)
        return -1;
    if (application != APPLICATION_ID && (tables > 0 || *version > 0)) {
        px_err_set(err, "store-foreign", "%s is a database of another program", s->path);
        return px_err_hint(err, "use another --state folder");
    }
    if (*version > SCHEMA_VERSION) {
        px_err_set(err, "store-version", "%s has schema %d; this version knows up to %d", s->path,
                   *version, SCHEMA_VERSION);
        return px_err_hint(err, "start the version that wrote it, or a newer one");
    }
    return 0;
}

/* Bring the schema up to date; several processes may try at once. */
static int schema_migrate(struct store *s, struct px_err *err)
{
    int version = 0;
    char line[64];
    if (schema_check(s, &version, err) != 0)
        return -1;
    if (version == SCHEMA_VERSION)
        return 0;
    if (exec(s, "BEGIN IMMEDIATE", err) != 0)
        return -1;
    if (schema_check(s, &version, err) != 0)
        goto fail;
    for (; version < SCHEMA_VERSION; version++)
        if (exec(s, migrations[version], err) != 0)
            goto fail;
    (void)snprintf(line, sizeof line, "PRAGMA application_id = %d", APPLICATION_ID);
    if (exec(s, line, err) != 0)
        goto fail;
    (void)snprintf(line, sizeof line, "PRAGMA user_version = %d", SCHEMA_VERSION);
    if (exec(s, line, err) != 0 || exec(s, "COMMIT", err) != 0)
        goto fail;
    return 0;
fail:
    store_rollback(s);
    return -1;
}

static int statements_prepare(struct store *s, struct px_err *err)
{
    for (int i = 0; i < ST_COUNT; i++)
        if (sqlite3_prepare_v3(s->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &s->statements[i], NULL) != SQLITE_OK)
            return store_fail(s, err);
    return 0;
}

static int writable_check(struct store *s, struct px_err *err)
{
    if (sqlite3_db_readonly(s->db, "main") != 1)
        return 0;
    px_err_set(err, "store-read-only", "%s cannot be written", s->path);
    return px_err_hint(err, "check owner and mode of the file and its folder, and whether the disk "
                            "is mounted read-only");
}

struct store *store_open(const char *path, bool create, struct px_err *err)
{
    int version;
    if (file_prepare(path, create, err) != 0)
        return NULL;
    struct store *s = px_xcalloc(1, sizeof *s);
    s->path = px_xstrdup(path);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    if (sqlite3_open_v2(path, &s->db, flags, NULL) != SQLITE_OK) {
        store_fail(s, err);
        store_close(s);
        return NULL;
    }
    sqlite3_busy_timeout(s->db, BUSY_MS);
    if (schema_check(s, &version, err) != 0 || writable_check(s, err) != 0 ||
        exec(s, "PRAGMA journal_mode = WAL", err) != 0 ||
        exec(s, "PRAGMA synchronous = FULL", err) != 0 || schema_migrate(s, err) != 0 ||
        statements_prepare(s, err) != 0) {
        store_close(s);
        return NULL;
    }
    return s;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    for (int i = 0; i < ST_COUNT; i++)
        sqlite3_finalize(s->statements[i]);
    sqlite3_close(s->db);
    free(s->path);
    free(s);
}

int store_begin(struct store *s, struct px_err *err)
{
    return exec(s, "BEGIN IMMEDIATE", err);
}

int store_commit(struct store *s, struct px_err *err)
{
    return exec(s, "COMMIT", err);
}

void store_rollback(struct store *s)
{
    if (!sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

/* ---- settings ---- */

int store_put_setting(struct store *s, const char *name, const char *value, struct px_err *err)
{
    sqlite3_stmt *st = s->statements[ST_PUT_SETTING];
    bind_text(st, 1, name);
    bind_text(st, 2, value);
    return finish(s, st, err);
}

int store_find_setting(struct store *s, const char *name, char *out, struct px_err *err)
{
    sqlite3_stmt *st = s->statements[ST_FIND_SETTING];
    bind_text(st, 1, name);
    int result = sqlite3_step(st), found = result == SQLITE_ROW;
    if (found)
        column_text(st, 0, out, STORE_SETTING_MAX);
    else if (result != SQLITE_DONE)
        found = store_fail(s, err);
    rewind_statement(st);
    return found;
}

/* ---- peers ---- */

/* "key=value" lines, a tag has no value; keys hold no "=", neither holds a newline. */
static char *labels_format(const struct px_label *labels, uint32_t count)
{
    size_t size = 1, used = 0;
    for (uint32_t i = 0; i < count; i++)
        size += strlen(labels[i].key) + strlen(labels[i].value) + 2;
    char *text = px_xcalloc(1, size);
    for (uint32_t i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s%s\n", labels[i].key,
                                 labels[i].value[0] ? "=" : "", labels[i].value);
    return text;
}

static void labels_parse(const char *text, struct store_peer *p)
{
    p->label_count = 0;
    while (text && *text && p->label_count < PX_LABELS_MAX) {
        struct px_label *label = &p->labels[p->label_count++];
        size_t line = strcspn(text, "\n"), key = strcspn(text, "=\n");
        (void)snprintf(label->key, sizeof label->key, "%.*s", (int)key, text);
        if (key < line)
            (void)snprintf(label->value, sizeof label->value, "%.*s", (int)(line - key - 1),
                           text + key + 1);
        text += line + (text[line] == '\n');
    }
}

static void peer_read(sqlite3_stmt *st, struct store_peer *p)
{
    memset(p, 0, sizeof *p);
    p->id = (uint64_t)sqlite3_column_int64(st, 0);
    if (sqlite3_column_bytes(st, 1) == STORE_KEY_BYTES)
        memcpy(p->key, sqlite3_column_blob(st, 1), STORE_KEY_BYTES);
    column_text(st, 2, p->role, sizeof p->role);
    column_text(st, 3, p->name, sizeof p->name);
    column_text(st, 4, p->state, sizeof p->state);
    p->joined = sqlite3_column_int64(st, 5);
    p->last_seen = sqlite3_column_int64(st, 6);
    const char *source = (const char *)sqlite3_column_text(st, 7);
    if (source)
        px_addr_parse(source, &p->source);
    column_text(st, 8, p->version, sizeof p->version);
    column_text(st, 9, p->can, sizeof p->can);
    labels_parse((const char *)sqlite3_column_text(st, 10), p);
}

int store_each_peer(struct store *s, void (*each)(void *arg, const struct store_peer *p), void *arg,
                    struct px_err *err)
{
    sqlite3_stmt *st = s->statements[ST_EACH_PEER];
    struct store_peer peer;
    int result;
    while ((result = sqlite3_step(st)) == SQLITE_ROW) {
        peer_read(st, &peer);
        each(arg, &peer);
    }
    int failed = result == SQLITE_DONE ? 0 : store_fail(s, err);
    rewind_statement(st);
    return failed;
}

/* Bind last_seen, source, version, can, labels from `index` on. */
static void bind_changing(sqlite3_stmt *st, int index, const struct store_peer *p)
{
    char source[PX_ADDR_TEXT];
    char *labels = labels_format(p->labels, p->label_count);
    sqlite3_bind_int64(st, index, p->last_seen);
    bind_text(st, index + 1, px_addr_format(&p->source, source));
    bind_text(st, index + 2, p->version);
    bind_text(st, index + 3, p->can);
    bind_text(st, index + 4, labels);
    free(labels);
}

int store_update_peer(struct store *s, const struct store_peer *p, struct px_err *err)
{
    sqlite3_stmt *st = s->statements[ST_UPDATE_PEER];
    sqlite3_bind_int64(st, 1, (sqlite3_int64)p->id);
    bind_changing(st, 2, p);
    return finish(s, st, err);
}

static int peer_add(struct store *s, struct store_peer *p, struct px_err *err)
{
    sqlite3_stmt *st = s->statements[ST_ADD_PEER];
    sqlite3_bind_blob(st, 1, p->key, STORE_KEY_BYTES, SQLITE_TRANSIENT);
    bind_text(st, 2, p->role);
    bind_text(st, 3, p->name);
    bind_text(st, 4, p->state);
    sqlite3_bind_int64(st, 5, p->joined);
    bind_changing(st, 6, p);
    if (finish(s, st, err) != 0)
        return -1;
    p->id = (uint64_t)sqlite3_last_insert_rowid(s->db);
    return 0;
}

/* ---- tokens ---- */

int store_add_token(struct store *s, const struct store_token *t, struct px_err *err)
{
    sqlite3_stmt *st = s->statements[ST_ADD_TOKEN];
    sqlite3_bind_blob(st, 1, t->hash, STORE_HASH_BYTES, SQLITE_TRANSIENT);
    bind_text(st, 2, t->role);
    sqlite3_bind_int64(st, 3, t->uses);
    sqlite3_bind_int64(st, 4, t->uses_left);
    sqlite3_bind_int64(st, 5, t->created);
    sqlite3_bind_int64(st, 6, t->expires);
    return finish(s, st, err);
}

int store_find_token(struct store *s, const uint8_t hash[STORE_HASH_BYTES], struct store_token *t,
                     struct px_err *err)
{
    sqlite3_stmt *st = s->statements[ST_FIND_TOKEN];
    sqlite3_bind_blob(st, 1, hash, STORE_HASH_BYTES, SQLITE_TRANSIENT);
    int result = sqlite3_step(st), found = result == SQLITE_ROW;
    if (found) {
        memcpy(t->hash, hash, STORE_HASH_BYTES);
        column_text(st, 0, t->role, sizeof t->role);
        t->uses = (uint32_t)sqlite3_column_int64(st, 1);
        t->uses_left = (uint32_t)sqlite3_column_int64(st, 2);
        t->created = sqlite3_column_int64(st, 3);
        t->expires = sqlite3_column_int64(st, 4);
    } else if (result != SQLITE_DONE) {
        found = store_fail(s, err);
    }
    rewind_statement(st);
    return found;
}

static int token_use(struct store *s, const uint8_t *hash, struct px_err *err)
{
    sqlite3_stmt *st = s->statements[ST_USE_TOKEN];
    sqlite3_bind_blob(st, 1, hash, STORE_HASH_BYTES, SQLITE_TRANSIENT);
    return finish(s, st, err);
}

/* Within a transaction. */
static enum store_enrolled enrol_inside(struct store *s, const uint8_t *hash, px_wall now,
                                        struct store_peer *p, struct store_token *t,
                                        struct px_err *err)
{
    int found = store_find_token(s, hash, t, err);
    if (found < 0)
        return STORE_ENROL_FAILED;
    if (!found)
        return STORE_ENROL_NO_TOKEN;
    if (t->expires <= now)
        return STORE_ENROL_EXPIRED;
    if (t->uses_left == 0)
        return STORE_ENROL_USED_UP;
    px_text_copy(p->role, sizeof p->role, t->role);
    px_text_copy(p->state, sizeof p->state, "active");
    p->joined = p->last_seen = now;
    if (peer_add(s, p, err) != 0)
        return (sqlite3_errcode(s->db) & 0xff) == SQLITE_CONSTRAINT ? STORE_ENROL_NAME_TAKEN
                                                                    : STORE_ENROL_FAILED;
    t->uses_left--;
    return token_use(s, hash, err) == 0 ? STORE_ENROL_OK : STORE_ENROL_FAILED;
}

enum store_enrolled store_enrol(struct store *s, const uint8_t hash[STORE_HASH_BYTES], px_wall now,
                                struct store_peer *p, struct store_token *t, struct px_err *err)
{
    if (store_begin(s, err) != 0)
        return STORE_ENROL_FAILED;
    enum store_enrolled result = enrol_inside(s, hash, now, p, t, err);
    if (result == STORE_ENROL_OK && store_commit(s, err) != 0)
        result = STORE_ENROL_FAILED;
    store_rollback(s);
    return result;
}

/* ---- runs and audit ---- */

int store_add_run(struct store *s, const struct store_run *r, struct px_err *err)
{
    sqlite3_stmt *st = s->statements[ST_ADD_RUN];
    bind_text(st, 1, r->id);
    sqlite3_bind_int64(st, 2, r->started);
    bind_borrowed(st, 3, r->url);
    bind_borrowed(st, 4, r->status);
    bind_borrowed(st, 5, r->json);
    return finish(s, st, err);
}

int store_find_run(struct store *s, const char *prefix, char id[PX_ID_TEXT], char **json,
                   struct px_err *err)
{
    sqlite3_stmt *st = s->statements[ST_FIND_RUN];
    *json = NULL;
    if (strlen(prefix) < PREFIX_MIN)
        return 0;
    bind_text(st, 1, prefix);
    int result = sqlite3_step(st), found = 0;
    if (result == SQLITE_ROW) {
        found = 1;
        column_text(st, 0, id, PX_ID_TEXT);
        *json = px_xstrdup((const char *)sqlite3_column_text(st, 1));
        result = sqlite3_step(st);
    }
    if (result == SQLITE_ROW)
        found = 2;
    else if (result != SQLITE_DONE)
        found = store_fail(s, err);
    if (found != 1) {
        free(*json);
        *json = NULL;
    }
    rewind_statement(st);
    return found;
}

int store_remove_runs(struct store *s, px_wall when, struct px_err *err)
{
    sqlite3_stmt *st = s->statements[ST_REMOVE_RUNS];
    sqlite3_bind_int64(st, 1, when);
    return finish(s, st, err);
}

int store_add_audit(struct store *s, px_wall at, const char *who, const char *what,
                    const char *detail, struct px_err *err)
{
    sqlite3_stmt *st = s->statements[ST_ADD_AUDIT];
    sqlite3_bind_int64(st, 1, at);
    bind_text(st, 2, who);
    bind_text(st, 3, what);
    bind_text(st, 4, detail);
    return finish(s, st, err);
}
