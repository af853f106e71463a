/* SPDX-License-Identifier: MIT */
/* Documents of runs that have just finished: the same question again gets the same answer. */
#ifndef PX_COORDINATOR_RECENT_H
#define PX_COORDINATOR_RECENT_H

#include <stddef.h>

#include "common/clock.h"
#include "common/job.h"

struct recent;

/* At most `max` documents, each for `keep` nanoseconds. */
struct recent *recent_new(size_t max, int64_t keep);
void recent_free(struct recent *r);

/* Copies everything. key: what makes two questions the same. */
void recent_add(struct recent *r, const char *key, const char *id, const char *json, px_mono now);
/* The newest document for that key and its age; NULL if there is none young enough. Borrowed until
 * the next recent_add. */
const char *recent_find_key(const struct recent *r, const char *key, px_mono now, int64_t *age);
/* By run id or a beginning of one, however old; NULL if none or several. Borrowed likewise. */
const char *recent_find_id(const struct recent *r, const char *prefix, char id[PX_ID_TEXT]);

#endif
