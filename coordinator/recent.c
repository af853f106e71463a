/* SPDX-License-Identifier: MIT */
/* A short list. Time is an argument. */
#include "coordinator/recent.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"

#define PREFIX_MIN 6

struct entry {
    char *key, *json;
    char id[PX_ID_TEXT];
    px_mono at;
};

struct recent {
    struct entry *entries; /* oldest first, room for max */
    size_t count, max;
    int64_t keep;
};

struct recent *recent_new(size_t max, int64_t keep)
{
    struct recent *r = px_xcalloc(1, sizeof *r);
    r->entries = px_xcalloc(max, sizeof *r->entries);
    r->max = max;
    r->keep = keep;
    return r;
}

static void recent_remove_oldest(struct recent *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(r->entries[i].key);
        free(r->entries[i].json);
    }
    r->count -= n;
    memmove(r->entries, r->entries + n, r->count * sizeof *r->entries);
}

void recent_free(struct recent *r)
{
    if (!r)
        return;
    recent_remove_oldest(r, r->count);
    free(r->entries);
    free(r);
}

void recent_add(struct recent *r, const char *key, const char *id, const char *json, px_mono now)
{
    size_t old = r->count == r->max;
    while (old < r->count && now - r->entries[old].at > r->keep)
        old++;
    recent_remove_oldest(r, old);
    struct entry *e = &r->entries[r->count++];
    e->key = px_xstrdup(key);
    e->json = px_xstrdup(json);
    px_text_copy(e->id, sizeof e->id, id);
    e->at = now;
}

const char *recent_find_key(const struct recent *r, const char *key, px_mono now, int64_t *age)
{
    for (size_t i = r->count; i-- > 0;) {
        const struct entry *e = &r->entries[i];
        if (strcmp(e->key, key) != 0)
            continue;
        *age = now - e->at;
        return *age <= r->keep ? e->json : NULL;
    }
    return NULL;
}

const char *recent_find_id(const struct recent *r, const char *prefix, char id[PX_ID_TEXT])
{
    const struct entry *found = NULL;
    size_t length = strlen(prefix);
    for (size_t i = 0; i < r->count && length >= PREFIX_MIN; i++) {
        if (strncmp(r->entries[i].id, prefix, length) != 0)
            continue;
        if (found)
            return NULL;
        found = &r->entries[i];
    }
    if (found)
        px_text_copy(id, PX_ID_TEXT, found->id);
    return found ? found->json : NULL;
}
