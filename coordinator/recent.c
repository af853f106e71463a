/* SPDX-License-Identifier: MIT */
/* A short list, newest first. Time is an argument. */
#include "coordinator/recent.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/text.h"

#define PREFIX_MIN 6

struct entry {
    TAILQ_ENTRY(entry) next;
    char *key, *json;
    char id[PX_ID_TEXT];
    px_mono at;
};
TAILQ_HEAD(entry_list, entry);

struct recent {
    struct entry_list entries;
    size_t count, max;
    int64_t keep;
};

struct recent *recent_new(size_t max, int64_t keep)
{
    struct recent *r = px_xcalloc(1, sizeof *r);
    TAILQ_INIT(&r->entries);
    r->max = max;
    r->keep = keep;
    return r;
}

static void entry_remove(struct recent *r, struct entry *e)
{
    TAILQ_REMOVE(&r->entries, e, next);
    r->count--;
    free(e->key);
    free(e->json);
    free(e);
}

void recent_free(struct recent *r)
{
    struct entry *e;
    if (!r)
        return;
    while ((e = TAILQ_FIRST(&r->entries)))
        entry_remove(r, e);
    free(r);
}

void recent_add(struct recent *r, const char *key, const char *id, const char *json, px_mono now)
{
    struct entry *e;
    while ((e = TAILQ_LAST(&r->entries, entry_list)) &&
           (r->count >= r->max || now - e->at > r->keep))
        entry_remove(r, e);
    e = px_xcalloc(1, sizeof *e);
    e->key = px_xstrdup(key);
    e->json = px_xstrdup(json);
    px_text_copy(e->id, sizeof e->id, id);
    e->at = now;
    TAILQ_INSERT_HEAD(&r->entries, e, next);
    r->count++;
}

const char *recent_find_key(const struct recent *r, const char *key, px_mono now, int64_t *age)
{
    struct entry *e;
    TAILQ_FOREACH(e, &r->entries, next)
    {
        if (strcmp(e->key, key) != 0)
            continue;
        *age = now - e->at;
        return *age <= r->keep ? e->json : NULL;
    }
    return NULL;
}

const char *recent_find_id(const struct recent *r, const char *prefix, char id[PX_ID_TEXT])
{
    const struct entry *e, *found = NULL;
    size_t length = strlen(prefix);
    if (length < PREFIX_MIN)
        return NULL;
    TAILQ_FOREACH(e, &r->entries, next)
    {
        if (strncmp(e->id, prefix, length) != 0)
            continue;
        if (found)
            return NULL;
        found = e;
    }
    if (found)
        px_text_copy(id, PX_ID_TEXT, found->id);
    return found ? found->json : NULL;
}
