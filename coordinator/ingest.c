/* SPDX-License-Identifier: MIT */
/* From message to evidence. Identity is the session's alone; what the message claims to be is
 * checked against what was asked. */
#include "coordinator/ingest.h"

#include <stdlib.h>

#include "common/log.h"
#include "common/text.h"

px_wall ingest_correct(px_wall theirs, const struct session *from, px_wall began, px_wall now)
{
    px_wall ours = from->clock_known ? theirs + from->clock_offset : theirs;
    if (ours < began)
        return began;
    return ours > now ? now : ours;
}

/* A vantage that answers what nobody asked is broken or hostile: said at the 1st, 2nd, 4th, 8th...
 * time. */
static void foreign_report(struct node *node, const struct px_observation *o)
{
    char run[4 * PX_ID_TEXT];
    node->foreign++;
    if ((node->foreign & (node->foreign - 1)) == 0)
        px_log(PX_LOG_WARN,
               "%s \"%s\" sent an observation for run %s that it was not asked for "
               "(%lu so far); ignored",
               token_role_name(node->role), node->name,
               px_text_safe(o->run_id, PX_ID_TEXT, run, sizeof run), node->foreign);
}

enum dispatch_taken ingest_on_observation(struct dispatch *d, struct session *from,
                                          struct px_observation *o, px_wall now)
{
    px_wall began = dispatch_run_started(d, o->run_id);
    o->started = ingest_correct(o->started, from, began, now);
    o->reused = false;
    enum dispatch_taken taken = dispatch_on_observation(d, from->peer, o);
    switch (taken) {
    case DISPATCH_TAKEN:
        break;
    case DISPATCH_FOREIGN:
        foreign_report(from->who, o);
        break;
    case DISPATCH_REPEATED:
    case DISPATCH_UNKNOWN:
        px_log(PX_LOG_DEBUG, "late or repeated observation of \"%s\" ignored", from->who->name);
        break;
    }
    return taken;
}

void ingest_warn_clock(const struct session *s)
{
    char text[PX_DURATION_TEXT];
    if (llabs(s->clock_offset) < INGEST_CLOCK_WARN)
        return;
    px_log(PX_LOG_WARN,
           "node %s: its clock is %s %s; its times are corrected, please fix NTP there",
           s->who->name, px_duration_format(llabs(s->clock_offset), text),
           s->clock_offset < 0 ? "ahead" : "behind");
}
