/* SPDX-License-Identifier: MIT */
/* Files of the state directory. Keys are read and written by proto/keys.c. */
#include "probe-node/home.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/text.h"

#define MEMBERSHIP_FILE "mesh.yml"

int home_path(const char *dir, const char *file, char *out, struct px_err *err)
{
    int n = snprintf(out, HOME_PATH_MAX, "%s/%s", dir, file);
    if (n < 0 || n >= HOME_PATH_MAX)
        return px_err_set(err, "no-file", "%.80s...: the path is too long", dir);
    return 0;
}

int home_open(const char *dir, struct px_err *err)
{
    struct stat s;
    if (mkdir(dir, 0700) == 0)
        return 0;
    if (errno == EEXIST && stat(dir, &s) == 0 && S_ISDIR(s.st_mode))
        return 0;
    px_err_set(err, "no-state", "cannot use %s as state directory: %s", dir, strerror(errno));
    return px_err_hint(err, "name a directory that this user may write:  --state DIR");
}

int home_lock(const char *dir, struct px_err *err)
{
    char path[HOME_PATH_MAX];
    if (home_path(dir, "lock", path, err) != 0)
        return -1;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return px_err_set(err, "no-state", "cannot write %s: %s", path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    close(fd);
    px_err_set(err, "state-in-use", "another parallax-node is at work in %s", dir);
    return px_err_hint(err, "every node needs a state directory of its own:  --state DIR");
}

static bool hex_parse(const char *text, uint8_t key[KEY_BYTES])
{
    const size_t digits = (size_t)2 * KEY_BYTES;
    if (strlen(text) != digits || strspn(text, "0123456789abcdef") != digits)
        return false;
    for (size_t i = 0; i < KEY_BYTES; i++) {
        char two[3] = {text[2 * i], text[2 * i + 1], '\0'};
        key[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return true;
}

static void membership_read(struct px_conf *c, struct px_conf_node *root, struct membership *m)
{
    const char *host = "", *name = "", *key = "";
    int64_t port = 0;
    bool whole = px_conf_text(c, px_conf_get(root, "host"), "host", &host) &&
                 px_conf_integer(c, px_conf_get(root, "port"), "port", 1, UINT16_MAX, &port) &&
                 px_conf_text(c, px_conf_get(root, "server_key"), "server_key", &key) &&
                 px_conf_text(c, px_conf_get(root, "name"), "name", &name);
    m->port = (uint16_t)port;
    if (!whole || px_text_copy(m->host, sizeof m->host, host) != 0 ||
        !hex_parse(key, m->server_key) || !px_name_valid(name) ||
        px_text_copy(m->name, sizeof m->name, name) != 0)
        px_conf_error(c, root, NULL, "host, port, server_key and name are not all there");
}

int home_load(const char *dir, struct membership *m, struct px_err *err)
{
    char path[HOME_PATH_MAX];
    memset(m, 0, sizeof *m);
    if (home_path(dir, MEMBERSHIP_FILE, path, err) != 0)
        return -1;
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return 0;
    struct px_conf *c = px_conf_open(path, err);
    if (!c)
        return -1;
    membership_read(c, px_conf_root(c), m);
    size_t errors = px_conf_error_count(c);
    px_conf_free(c);
    if (errors == 0)
        return 1;
    px_err_set(err, "bad-state", "%s is damaged", path);
    return px_err_hint(err, "move it away and join again with a new token:  --join TOKEN");
}

static int write_all(const char *path, const char *text, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    bool good = write(fd, text, size) == (ssize_t)size && fsync(fd) == 0;
    return close(fd) == 0 && good ? 0 : -1;
}

int home_save(const char *dir, const struct membership *m, struct px_err *err)
{
    char path[HOME_PATH_MAX], fresh[HOME_PATH_MAX], key[2 * KEY_BYTES + 1];
    if (home_path(dir, MEMBERSHIP_FILE, path, err) != 0 ||
        home_path(dir, MEMBERSHIP_FILE ".new", fresh, err) != 0)
        return -1;
    for (size_t i = 0; i < KEY_BYTES; i++)
        (void)snprintf(key + 2 * i, 3, "%02x", m->server_key[i]);
    char *text = px_xasprintf("host: \"%s\"\nport: %u\nserver_key: \"%s\"\nname: \"%s\"\n", m->host,
                              (unsigned)m->port, key, m->name);
    int result = write_all(fresh, text, strlen(text)) == 0 && rename(fresh, path) == 0 ? 0 : -1;
    free(text);
    if (result != 0)
        px_err_set(err, "no-state", "cannot write %s: %s", path, strerror(errno));
    return result;
}
