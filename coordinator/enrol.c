/* SPDX-License-Identifier: MIT */
/* Enrolment: every rule about who may join, and the words for each refusal. */
#include "coordinator/enrol.h"

#include <stdio.h>
#include <string.h>

#include "common/text.h"
#include "coordinator/select.h"

#define USER_NAME "user" /* of one who did not give a good one */
#define SAME_NAMES_MAX 1000

static int refuse_unknown(struct px_err *err)
{
    px_err_set(err, "bad-token", "this coordinator did not make that token, or its store is new");
    return px_err_hint(err, "make a new one:  parallax-coordinator token --state DIR --role ROLE");
}

static int refuse_expired(const struct store_token *t, px_wall now, struct px_err *err)
{
    char age[PX_DURATION_TEXT];
    px_err_set(err, "token-expired", "this token ended %s ago",
               px_duration_format(now - t->expires, age));
    return px_err_hint(err, "make a new one:  parallax-coordinator token --state DIR --role %s",
                       t->role);
}

static int refuse_used(const struct store_token *t, struct px_err *err)
{
    px_err_set(err, "token-used", "this token has been used %u time%s, as often as it may",
               (unsigned)t->uses, t->uses == 1 ? "" : "s");
    return px_err_hint(err, "make a new one:  parallax-coordinator token --state DIR --role %s",
                       t->role);
}

static int refuse_taken(const struct nodes *nodes, const char *name, px_wall now,
                        struct px_err *err)
{
    char age[PX_DURATION_TEXT];
    const struct node *holder = nodes_find_name(nodes, true, name);
    px_wall seen = holder ? holder->peer ? now : holder->last_seen : now;
    px_err_set(err, "name-taken", "the mesh has a \"%s\" with another key, seen %s ago", name,
               px_duration_format(now > seen ? now - seen : 0, age));
    return px_err_hint(err,
                       "join with --name %.*sb, or start the node with the state folder it "
                       "had when it joined",
                       PX_NAME_MAX - 1, name);
}

static int refuse_name(const char *name, struct px_err *err)
{
    char safe[256];
    px_err_set(err, "bad-name", "\"%s\" cannot be the name of a vantage",
               px_text_safe(name, PX_NAME_MAX, safe, sizeof safe));
    return px_err_hint(err,
                       "use a-z, 0-9, \".\", \"_\" and \"-\", beginning with a letter or "
                       "digit, at most %d; \"%s\" and \"%s\" have a meaning of their own",
                       PX_NAME_MAX, SELECT_HERE, SELECT_ALL);
}

static bool name_free_to_use(const char *name)
{
    return px_name_valid(name) && strcmp(name, SELECT_HERE) != 0 && strcmp(name, SELECT_ALL) != 0;
}

static void peer_fill(struct store_peer *p, const struct enrol_offer *offer)
{
    const struct wire_enrol *m = offer->message;
    memset(p, 0, sizeof *p);
    memcpy(p->key, offer->key, sizeof p->key);
    p->source = offer->from;
    px_text_copy(p->name, sizeof p->name, m->name);
    px_text_copy(p->version, sizeof p->version, m->version);
    memcpy(p->labels, m->labels, sizeof p->labels);
    p->label_count = m->label_count;
}

/* A name nobody has: ann, ann2, ann3... */
static void user_name_choose(const struct nodes *nodes, struct store_peer *p)
{
    char base[PX_NAME_MAX + 1];
    px_text_copy(base, sizeof base, name_free_to_use(p->name) ? p->name : USER_NAME);
    px_text_copy(p->name, sizeof p->name, base);
    for (unsigned i = 2; nodes_find_name(nodes, false, p->name) && i < SAME_NAMES_MAX; i++)
        (void)snprintf(p->name, sizeof p->name, "%.*s%u", PX_NAME_MAX - 4, base, i);
}

/* The token and the name are good so far as can be seen before it counts. */
static int offer_check(struct nodes *nodes, struct store *store, const uint8_t *hash,
                       struct store_peer *p, px_wall now, struct px_err *err)
{
    struct store_token t;
    int found = store_find_token(store, hash, &t, err);
    if (found < 0)
        return -1;
    if (!found)
        return refuse_unknown(err);
    if (strcmp(t.role, token_role_name(TOKEN_NODE)) != 0) {
        user_name_choose(nodes, p);
        return 0;
    }
    if (t.expires <= now || t.uses_left == 0)
        return 0; /* that is the more important news, store_enrol will tell */
    if (!name_free_to_use(p->name))
        return refuse_name(p->name, err);
    return nodes_find_name(nodes, true, p->name) ? refuse_taken(nodes, p->name, now, err) : 0;
}

struct node *enrol_stranger(struct nodes *nodes, struct store *store,
                            const struct enrol_offer *offer, px_wall now, struct px_err *err)
{
    uint8_t hash[STORE_HASH_BYTES];
    struct store_peer peer;
    struct store_token t;
    token_secret_hash(offer->message->secret, hash);
    peer_fill(&peer, offer);
    if (offer_check(nodes, store, hash, &peer, now, err) != 0)
        return NULL;
    switch (store_enrol(store, hash, now, &peer, &t, err)) {
    case STORE_ENROL_OK:
        return nodes_add(nodes, &peer);
    case STORE_ENROL_NO_TOKEN:
        refuse_unknown(err);
        break;
    case STORE_ENROL_EXPIRED:
        refuse_expired(&t, now, err);
        break;
    case STORE_ENROL_USED_UP:
        refuse_used(&t, err);
        break;
    case STORE_ENROL_NAME_TAKEN:
        refuse_taken(nodes, peer.name, now, err);
        break;
    case STORE_ENROL_FAILED:
        break;
    }
    return NULL;
}
