/* SPDX-License-Identifier: MIT */
/*
 * Drives the ssh probe against servers on loopback: scripted ones on threads, or a real sshd in the
 * foreground with its own configuration, host key and log. Included by one test program at a time.
 */
#ifndef TESTS_UNIT_SSH_RIG_H
#define TESTS_UNIT_SSH_RIG_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/observation.h"
#include "probe-node/probes/probe.h"

extern const struct probe_ops ssh_probe_ops;

#define UNUSED __attribute__((unused))

/* ---- the probe under test ---- */

struct run {
    struct px_observation obs;
    struct probe *probe;
    unsigned done;
    struct rig *rig;
};

struct rig {
    struct event_base *base;
    unsigned wakeups; /* turns of the event loop */
    unsigned running;
};

UNUSED static int loopback_socket(uint16_t port, struct sockaddr_in *sa)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert(fd >= 0, "socket: %s", strerror(errno));
    *sa = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    sa->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return fd;
}

UNUSED static int try_connect(uint16_t port)
{
    struct sockaddr_in sa;
    int fd = loopback_socket(port, &sa);

    if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
        return fd;
    close(fd);
    return -1;
}

UNUSED static void rig_open(struct rig *rig)
{
    memset(rig, 0, sizeof(*rig));
    signal(SIGPIPE, SIG_IGN); /* of the scripted servers; the probe itself must not need it */
    rig->base = event_base_new();
    cr_assert_not_null(rig->base);
}

UNUSED static void rig_close(struct rig *rig)
{
    event_base_free(rig->base);
}

/* As the prober may do: the probe is freed from inside done. */
UNUSED static void run_on_done(void *arg, struct probe *probe)
{
    struct run *run = arg;

    run->done++;
    run->rig->running--;
    cr_assert_eq(probe, run->probe);
    ssh_probe_ops.free(probe);
    run->probe = NULL;
}

UNUSED static void run_start(struct rig *rig, struct run *run, uint16_t port, enum px_stage depth,
                             int64_t timeout_ms)
{
    struct probe_request request = {.depth = depth, .port = port};

    memset(run, 0, sizeof(*run));
    px_observation_init(&run->obs);
    run->obs.attempt_count = 1;
    run->obs.attempts[0].code = PX_CODE_OK;
    run->rig = rig;
    request.origin = px_mono_now();
    request.deadline = request.origin + timeout_ms * PX_MS;
    request.fd = try_connect(port);
    cr_assert(request.fd >= 0, "connect to port %u: %s", port, strerror(errno));
    run->probe = ssh_probe_ops.start(rig->base, &request, &run->obs, run_on_done, run);
    cr_assert_not_null(run->probe);
    cr_assert_eq(run->done, 0U, "done was called from inside start");
    rig->running++;
}

UNUSED static void rig_wait(struct rig *rig)
{
    while (rig->running > 0) {
        cr_assert_eq(event_base_loop(rig->base, EVLOOP_ONCE), 0);
        rig->wakeups++;
    }
}

UNUSED static void run_once(struct run *run, uint16_t port, enum px_stage depth, int64_t timeout_ms)
{
    struct rig rig;

    rig_open(&rig);
    run_start(&rig, run, port, depth, timeout_ms);
    rig_wait(&rig);
    rig_close(&rig);
    cr_assert_eq(run->done, 1U);
}

#define assert_result(run, want_stage, want_code)                                                  \
    cr_assert((run)->obs.stage == (want_stage) && (run)->obs.code == (want_code),                  \
              "%s %s, text [%s], banner [%s]", px_stage_name((run)->obs.stage),                    \
              px_code_name((run)->obs.code), (run)->obs.text, (run)->obs.banner)
#define assert_has(text, part)                                                                     \
    cr_assert_not_null(strstr((text), (part)), "[%s] lacks [%s]", (text), (part))

UNUSED static unsigned count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;

    cr_assert_not_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* ---- scripted servers ---- */

struct server {
    void (*script)(int fd); /* talks on one accepted connection; it is closed afterwards */
    int listener;
    uint16_t port;
    pthread_t thread;
};

UNUSED static void *server_main(void *arg)
{
    struct server *server = arg;
    int fd;

    while ((fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        server->script(fd);
        close(fd);
    }
    return NULL;
}

UNUSED static int listen_anywhere(uint16_t *port)
{
    struct sockaddr_in sa;
    socklen_t len = sizeof(sa);
    int fd = loopback_socket(0, &sa);

    cr_assert_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    cr_assert_eq(listen(fd, 64), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    *port = ntohs(sa.sin_port);
    return fd;
}

UNUSED static void server_open(struct server *server, void (*script)(int fd))
{
    signal(SIGPIPE, SIG_IGN);
    server->script = script;
    server->listener = listen_anywhere(&server->port);
    cr_assert_eq(pthread_create(&server->thread, NULL, server_main, server), 0);
}

UNUSED static void server_close(struct server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
}

UNUSED static void say(int fd, const char *text)
{
    (void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

UNUSED static void hear_all(int fd)
{
    char sink[4096];

    while (recv(fd, sink, sizeof(sink), 0) > 0)
        ;
}

UNUSED static void hear_line(int fd)
{
    char c;

    while (recv(fd, &c, 1, 0) == 1 && c != '\n')
        ;
}

/* The peer has hung up, or `ms` have passed: the pace of a slow server. */
UNUSED static bool is_gone_after(int fd, int ms)
{
    struct pollfd ask = {.fd = fd, .events = POLLRDHUP};

    return poll(&ask, 1, ms) > 0;
}

/* ---- a real sshd ---- */

struct sshd {
    char dir[64];
    uint16_t port;
    pid_t pid;
};

UNUSED static char *sshd_path(const struct sshd *sshd, const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", sshd->dir, name);
    return out;
}

/* A fresh host key; the directory and the key belong to whom sshd runs as. */
UNUSED static void make_key(const struct sshd *sshd, const char *type)
{
    char key[128];
    int status = 0;
    pid_t pid = fork();

    sshd_path(sshd, "key", key);
    if (pid == 0) {
        execl("/usr/bin/ssh-keygen", "/usr/bin/ssh-keygen", "-q", "-t", type, "-N", "", "-f", key,
              (char *)NULL);
        _exit(127);
    }
    cr_assert(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
    if (getuid() == 0)
        cr_assert(chown(sshd->dir, 65534, 65534) == 0 && chown(key, 65534, 65534) == 0);
}

UNUSED static void write_sshd_config(const struct sshd *sshd, const char *extra)
{
    char path[128], key[128];
    FILE *file = fopen(sshd_path(sshd, "config", path), "w");

    cr_assert_not_null(file);
    fprintf(file,
            "%s\nListenAddress 127.0.0.1\nPort %u\nHostKey %s\nPidFile none\nUsePAM no\n"
            "LogLevel DEBUG\nMaxStartups 500\n",
            extra, sshd->port, sshd_path(sshd, "key", key)); /* the first word counts */
    cr_assert_eq(fclose(file), 0);
}

/* An unprivileged sshd needs no /run/sshd, and nobody can log in. */
UNUSED static void become_sshd(const struct sshd *sshd)
{
    char config[128], log[128];

    sshd_path(sshd, "config", config);
    sshd_path(sshd, "log", log);
    if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* a test that fails leaves nothing running */
    execl("/usr/sbin/sshd", "/usr/sbin/sshd", "-D", "-f", config, "-E", log, (char *)NULL);
    _exit(127);
}

/* Lines of the log that hold `text`. */
UNUSED static unsigned sshd_count(const struct sshd *sshd, const char *text)
{
    char path[128], line[1024];
    FILE *file = fopen(sshd_path(sshd, "log", path), "r");
    unsigned found = 0;

    while (file && fgets(line, sizeof(line), file))
        found += strstr(line, text) != NULL;
    if (file)
        fclose(file);
    return found;
}

UNUSED static void sshd_open(struct sshd *sshd, const char *key_type, const char *extra)
{
    snprintf(sshd->dir, sizeof(sshd->dir), "/tmp/parallax-sshd-XXXXXX");
    cr_assert_not_null(mkdtemp(sshd->dir));
    make_key(sshd, key_type);
    close(listen_anywhere(&sshd->port));
    write_sshd_config(sshd, extra);
    sshd->pid = fork();
    if (sshd->pid == 0)
        become_sshd(sshd);
    for (int i = 0; i < 1000 && sshd_count(sshd, "Server listening") == 0; i++) {
        cr_assert_eq(waitpid(sshd->pid, NULL, WNOHANG), 0, "sshd ended, see %s", sshd->dir);
        poll(NULL, 0, 10);
    }
    cr_assert(sshd_count(sshd, "Server listening") > 0, "sshd does not listen, see %s", sshd->dir);
}

/* Wait until the log holds `text` at least `times` times. */
UNUSED static bool sshd_has_logged(const struct sshd *sshd, const char *text, unsigned times)
{
    for (int i = 0; i < 1000 && sshd_count(sshd, text) < times; i++)
        poll(NULL, 0, 10);
    return sshd_count(sshd, text) >= times;
}

UNUSED static void sshd_close(struct sshd *sshd)
{
    static const char *const names[] = {"config", "key", "key.pub", "log"};
    char path[128];

    kill(sshd->pid, SIGTERM);
    waitpid(sshd->pid, NULL, 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        (void)unlink(sshd_path(sshd, names[i], path));
    (void)rmdir(sshd->dir);
}

#endif
