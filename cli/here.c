/* SPDX-License-Identifier: MIT */
/*
 * Owns the prober of vantage "here" and its budget file. Several plx may run at once: the file is
 * read before each job and written soon after it, under a lock, so that they spend from one purse.
 */
#include "cli/here.h"

#include <event2/event.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "cli/state.h"
#include "common/clock.h"
#include "common/text.h"

#define HERE_WRITE_MS 200

struct here_job {
    struct here *here;
    prober_done *done;
    void *arg;
};

struct here {
    struct budget *budget;
    struct prober *prober;
    struct event *timer; /* writes the budget a moment after something was spent */
    bool spent;
    char path[STATE_PATH_MAX + 16];
    char trouble[256];
};

/* ---- the file, shared ---- */

static int lock_open(const struct here *h)
{
    char *name = px_xasprintf("%s.lock", h->path);
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    free(name);
    if (fd >= 0 && flock(fd, LOCK_EX) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void lock_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* Take over what others have spent; with `write`, tell them what we have. */
static void here_sync(struct here *h, bool write)
{
    struct px_err err;
    int fd = lock_open(h);
    px_wall now = px_wall_now();
    if (budget_merge(h->budget, h->path, now, &err) != 0 ||
        (write && budget_save(h->budget, h->path, now, &err) != 0))
        px_text_copy(h->trouble, sizeof h->trouble, err.message);
    if (write)
        h->spent = false;
    lock_close(fd);
}

static void here_on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    here_sync(arg, true);
}

/* ---- jobs ---- */

/* Writing waits for the disk, so not while an answer is being passed on. */
static void here_on_done(void *arg, const struct px_job *job, const struct px_observation *o)
{
    struct here_job *one = arg;
    struct timeval soon = {0, HERE_WRITE_MS * 1000};
    if (!one->here->spent)
        event_add(one->here->timer, &soon);
    one->here->spent = true;
    one->done(one->arg, job, o);
    free(one);
}

void here_submit(struct here *h, const struct px_job *job, prober_done *done, void *arg)
{
    struct here_job *one = px_xcalloc(1, sizeof *one);
    *one = (struct here_job){h, done, arg};
    here_sync(h, false);
    prober_submit(h->prober, job, here_on_done, one);
}

void here_cancel(struct here *h, const char *run_id, uint64_t id)
{
    prober_cancel(h->prober, run_id, id);
}

/* ---- life ---- */

struct here *here_open(struct event_base *base, struct px_err *err)
{
    struct here *h = px_xcalloc(1, sizeof *h);
    struct budget_limits limits = budget_limits_default();
    struct prober_options options = {.jobs_max = 512, .handshakes_max = 128};
    char folder[STATE_PATH_MAX];
    if (state_folder(folder, sizeof folder, err) != 0) {
        free(h);
        return NULL;
    }
    snprintf(h->path, sizeof h->path, "%s/budget", folder);
    h->budget = budget_new(&limits);
    int fd = lock_open(h);
    int loaded = budget_load(h->budget, h->path, px_wall_now(), err);
    lock_close(fd);
    if (loaded != 0) {
        px_err_hint(err, "no handshake was made; if none was in the last 11 minutes:  rm %s",
                    h->path);
        here_close(h);
        return NULL;
    }
    h->timer = event_new(base, -1, 0, here_on_timer, h);
    h->prober = prober_new(base, h->budget, &options, err);
    if (!h->prober) {
        here_close(h);
        return NULL;
    }
    return h;
}

void here_close(struct here *h)
{
    if (!h)
        return;
    if (h->prober) {
        prober_free(h->prober);
        here_sync(h, true);
    }
    if (h->timer)
        event_free(h->timer);
    budget_free(h->budget);
    free(h);
}

const char *here_trouble(const struct here *h)
{
    return h->trouble;
}

size_t here_addresses(struct px_addr *out, size_t max)
{
    struct ifaddrs *list;
    size_t n = 0;
    if (getifaddrs(&list) != 0)
        return 0;
    for (struct ifaddrs *one = list; one && n < max; one = one->ifa_next) {
        uint16_t port;
        if (one->ifa_addr && px_addr_from_sockaddr(one->ifa_addr, &out[n], &port) &&
            !px_addr_is_loopback(&out[n]))
            n++;
    }
    freeifaddrs(list);
    return n;
}
