/* SPDX-License-Identifier: MIT */
/*
 * The budget on disk: a line per event under a version line, closed by a count, so that a file cut
 * off anywhere is noticed. A restart must never hand out strikes anew.
 *
 *   parallax-budget 1
 *   strike <address> <port> <nanoseconds since 1970>
 *   look <address> <port> <nanoseconds>
 *   pause <address> <port> <nanoseconds of its end>
 *   end <lines between>
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/text.h"
#include "probe-node/budget_record.h"

#define HEADER "parallax-budget 1"
#define LINE_MAX_BYTES 160

static const char *const words[] = {
    [BUDGET_STRIKE] = "strike", [BUDGET_LOOK] = "look", [BUDGET_PAUSE] = "pause"};
_Static_assert(sizeof(words) / sizeof(words[0]) == BUDGET_KIND_COUNT, "a word for every kind");

/* ---- saving ---- */

struct writer {
    FILE *file;
    uint64_t lines;
};

static void write_record(void *arg, const struct budget_record *record)
{
    struct writer *w = arg;
    char address[PX_ADDR_TEXT];

    (void)fprintf(w->file, "%s %s %u %" PRId64 "\n", words[record->kind],
                  px_addr_format(&record->address, address), record->port, record->time);
    w->lines++;
}

static int write_all(const struct budget *b, px_wall now, FILE *file)
{
    struct writer w = {.file = file};

    (void)fprintf(file, "%s\n", HEADER); /* a failure stays in the stream: ferror below */
    budget_each(b, now, write_record, &w);
    (void)fprintf(file, "end %" PRIu64 "\n", w.lines);
    return ferror(file) || fflush(file) != 0 || fsync(fileno(file)) != 0 ? -1 : 0;
}

/* So that the new name survives a power cut; not every file system can, and then nobody could. */
static void sync_folder(const char *path)
{
    char *copy = px_xstrdup(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
    free(copy);
}

static int fail_save(struct px_err *err, const char *path)
{
    px_err_set(err, "budget-not-saved", "cannot save the politeness budget to %s: %s", path,
               strerror(errno));
    return px_err_hint(err, "make its folder writable for this user and check the free space");
}

static int replace(const struct budget *b, px_wall now, const char *path, const char *temporary)
{
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    int rc, saved;

    if (!file) {
        if (fd >= 0)
            (void)close(fd);
        return -1;
    }
    rc = write_all(b, now, file);
    saved = errno;
    if (fclose(file) != 0 && rc == 0) {
        rc = -1;
        saved = errno;
    }
    if (rc == 0 && rename(temporary, path) == 0)
        return 0;
    saved = rc == 0 ? errno : saved;
    (void)unlink(temporary);
    errno = saved;
    return -1;
}

int budget_save(const struct budget *b, const char *path, px_wall now, struct px_err *err)
{
    char *temporary = px_xasprintf("%s.%ld.tmp", path, (long)getpid());
    int rc;

    (void)unlink(temporary); /* of a process that died with our number */
    rc = replace(b, now, path, temporary);
    if (rc != 0)
        rc = fail_save(err, path);
    else
        sync_folder(path);
    free(temporary);
    return rc;
}

/* ---- loading ---- */

struct reader {
    const char *path;
    FILE *file;
    unsigned line; /* number of the line in `text` */
    char text[LINE_MAX_BYTES];
    struct px_err *err;
};

static int fail_line(struct reader *r, const char *what)
{
    px_err_set(r->err, "bad-budget-file", "%s:%u: %s", r->path, r->line, what);
    return px_err_hint(r->err,
                       "the file holds how often targets were touched lately; to start afresh,\n"
                       "wait 11 minutes, then remove it: rm %s",
                       r->path);
}

/* The next line without its end; false at the end of the file or when it is no line. */
static bool read_line(struct reader *r)
{
    size_t len;

    r->line++;
    if (!fgets(r->text, sizeof(r->text), r->file))
        return false;
    len = strlen(r->text);
    if (len == 0 || r->text[len - 1] != '\n')
        return false;
    r->text[len - 1] = '\0';
    return true;
}

/* A decimal number in 0..max and nothing else. */
static bool parse_number(const char *text, int64_t max, int64_t *out)
{
    char *end;

    if (!text || text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0' && *out <= max;
}

static int parse_kind(const char *word)
{
    for (int kind = 0; word && kind < BUDGET_KIND_COUNT; kind++) {
        if (strcmp(word, words[kind]) == 0)
            return kind;
    }
    return -1;
}

/* NULL, or what is wrong with the line. */
static const char *parse_record(char *text, struct budget_record *record)
{
    char *rest = NULL;
    int kind = parse_kind(strtok_r(text, " ", &rest));
    const char *address = strtok_r(NULL, " ", &rest);
    int64_t port;

    if (kind < 0)
        return "expected strike, look, pause or end";
    record->kind = (enum budget_kind)kind;
    if (!address || !px_addr_parse(address, &record->address))
        return "the second word is not an address";
    if (!parse_number(strtok_r(NULL, " ", &rest), UINT16_MAX, &port) || port == 0)
        return "the third word is not a port";
    record->port = (uint16_t)port;
    if (!parse_number(strtok_r(NULL, " ", &rest), INT64_MAX, &record->time))
        return "the fourth word is not a time";
    return strtok_r(NULL, " ", &rest) ? "more than four words" : NULL;
}

static int check_header(struct reader *r)
{
    int64_t version;

    if (!read_line(r))
        return fail_line(r, "not a politeness budget: no version line");
    if (strcmp(r->text, HEADER) == 0)
        return 0;
    if (strncmp(r->text, HEADER, strlen(HEADER) - 1) == 0 &&
        parse_number(r->text + strlen(HEADER) - 1, INT64_MAX, &version))
        return fail_line(r, "written by another version of parallax, this one knows version 1");
    return fail_line(r, "not a politeness budget: the first line must be \"" HEADER "\"");
}

static int check_end(struct reader *r, const char *number, int64_t lines)
{
    int64_t counted;

    if (!parse_number(number, INT64_MAX, &counted) || counted != lines)
        return fail_line(r, "the number of lines does not match, some are missing");
    if (fgetc(r->file) != EOF) {
        r->line++;
        return fail_line(r, "something follows the end");
    }
    return 0;
}

static int read_all(struct reader *r, struct budget *b, px_wall now)
{
    struct budget_record record;
    int64_t lines = 0;

    if (check_header(r) != 0)
        return -1;
    while (read_line(r)) {
        const char *wrong;

        if (strncmp(r->text, "end ", 4) == 0)
            return check_end(r, r->text + 4, lines);
        wrong = parse_record(r->text, &record);
        if (wrong)
            return fail_line(r, wrong);
        budget_put(b, &record, now);
        lines++;
    }
    if (feof(r->file))
        return fail_line(r, "the file is cut off");
    return fail_line(r, ferror(r->file) ? strerror(errno) : "not a line of text");
}

/* A regular file only: reading from a pipe or a terminal would block. */
static FILE *open_regular(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    FILE *file;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        (void)close(fd);
        errno = EINVAL;
        return NULL;
    }
    file = fdopen(fd, "r");
    if (!file)
        (void)close(fd);
    return file;
}

int budget_load(struct budget *b, const char *path, px_wall now, struct px_err *err)
{
    struct reader r = {.path = path, .file = open_regular(path), .err = err};
    struct budget *loaded;
    int rc;

    if (!r.file && errno != ENOENT) {
        px_err_set(err, "budget-unreadable", "cannot read the politeness budget %s: %s", path,
                   errno == EINVAL ? "not a regular file" : strerror(errno));
        return px_err_hint(err, "make it readable for this user");
    }
    loaded = budget_new_like(b);
    rc = r.file ? read_all(&r, loaded, now) : 0;
    if (r.file)
        (void)fclose(r.file);
    if (rc == 0)
        budget_take(b, loaded);
    else
        budget_free(loaded);
    return rc;
}
