/* SPDX-License-Identifier: MIT */
/* Peers and sessions in memory: sorted tables of pointers, looked up by bisection. */
#include "coordinator/nodes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

/* Sorted by one key; grows by halves. */
struct table {
    void **rows;
    size_t count, room;
};

struct nodes {
    struct table by_id, by_key; /* struct node */
    struct table sessions;      /* struct session by peer */
};

/* ---- tables ---- */

typedef int table_compare(const void *key, const void *row);

/* Index of the first row that is not smaller than key. */
static size_t table_bisect(const struct table *t, const void *key, table_compare *compare)
{
    size_t low = 0, high = t->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(key, t->rows[middle]) > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void *table_find(const struct table *t, const void *key, table_compare *compare)
{
    size_t i = table_bisect(t, key, compare);
    return i < t->count && compare(key, t->rows[i]) == 0 ? t->rows[i] : NULL;
}

static void table_add(struct table *t, const void *key, void *row, table_compare *compare)
{
    size_t i = table_bisect(t, key, compare);
    if (t->count == t->room) {
        t->room += t->room / 2 + 16;
        t->rows = px_xrealloc(t->rows, t->room, sizeof *t->rows);
    }
    memmove(t->rows + i + 1, t->rows + i, (t->count - i) * sizeof *t->rows);
    t->rows[i] = row;
    t->count++;
}

static void table_remove(struct table *t, const void *key, table_compare *compare)
{
    size_t i = table_bisect(t, key, compare);
    if (i == t->count || compare(key, t->rows[i]) != 0)
        return;
    t->count--;
    memmove(t->rows + i, t->rows + i + 1, (t->count - i) * sizeof *t->rows);
}

static int compare_id(const void *key, const void *row)
{
    uint64_t a = *(const uint64_t *)key, b = ((const struct node *)row)->id;
    return a < b ? -1 : a > b;
}

static int compare_key(const void *key, const void *row)
{
    return memcmp(key, ((const struct node *)row)->key, KEY_BYTES);
}

static int compare_peer(const void *key, const void *row)
{
    link_peer a = *(const link_peer *)key, b = ((const struct session *)row)->peer;
    return a < b ? -1 : a > b;
}

/* ---- peers ---- */

struct nodes *nodes_new(void)
{
    return px_xcalloc(1, sizeof(struct nodes));
}

void nodes_free(struct nodes *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < n->by_id.count; i++)
        free(n->by_id.rows[i]);
    for (size_t i = 0; i < n->sessions.count; i++)
        free(n->sessions.rows[i]);
    free(n->by_id.rows);
    free(n->by_key.rows);
    free(n->sessions.rows);
    free(n);
}

static void can_parse(const char *text, struct node *node)
{
    node->can_count = 0;
    while (*text && node->can_count < WIRE_CAPABILITIES_MAX) {
        size_t length = strcspn(text, ",");
        char *word = node->can[node->can_count++];
        (void)snprintf(word, WIRE_WORD, "%.*s", (int)length, text);
        text += length + (text[length] == ',');
    }
}

static void can_format(const struct node *node, char out[STORE_CAN_TEXT])
{
    size_t used = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < node->can_count && used + WIRE_WORD + 1 < STORE_CAN_TEXT; i++)
        used +=
            (size_t)snprintf(out + used, STORE_CAN_TEXT - used, "%s%s", i ? "," : "", node->can[i]);
}

struct node *nodes_add(struct nodes *n, const struct store_peer *p)
{
    struct node *node = px_xcalloc(1, sizeof *node);
    int role = token_role_parse(p->role);
    node->id = p->id;
    memcpy(node->key, p->key, KEY_BYTES);
    node->role = role < 0 ? TOKEN_VIEWER : (enum token_role)role;
    px_text_copy(node->name, sizeof node->name, p->name);
    node->revoked = role < 0 || strcmp(p->state, "active") != 0;
    node->joined = p->joined;
    node->last_seen = p->last_seen;
    node->source = p->source;
    px_text_copy(node->version, sizeof node->version, p->version);
    can_parse(p->can, node);
    memcpy(node->labels, p->labels, sizeof node->labels);
    node->label_count = p->label_count;
    table_add(&n->by_id, &node->id, node, compare_id);
    table_add(&n->by_key, node->key, node, compare_key);
    return node;
}

void nodes_format_peer(const struct node *node, struct store_peer *p)
{
    memset(p, 0, sizeof *p);
    p->id = node->id;
    memcpy(p->key, node->key, KEY_BYTES);
    px_text_copy(p->role, sizeof p->role, token_role_name(node->role));
    px_text_copy(p->name, sizeof p->name, node->name);
    px_text_copy(p->state, sizeof p->state, node->revoked ? "revoked" : "active");
    p->joined = node->joined;
    p->last_seen = node->last_seen;
    p->source = node->source;
    px_text_copy(p->version, sizeof p->version, node->version);
    can_format(node, p->can);
    memcpy(p->labels, node->labels, sizeof p->labels);
    p->label_count = node->label_count;
}

struct node *nodes_find_key(const struct nodes *n, const uint8_t key[KEY_BYTES])
{
    return table_find(&n->by_key, key, compare_key);
}

struct node *nodes_find_id(const struct nodes *n, uint64_t id)
{
    return table_find(&n->by_id, &id, compare_id);
}

struct node *nodes_find_name(const struct nodes *n, bool is_node, const char *name)
{
    for (size_t i = 0; i < n->by_id.count; i++) {
        struct node *node = n->by_id.rows[i];
        if (!node->revoked && (node->role == TOKEN_NODE) == is_node &&
            strcmp(node->name, name) == 0)
            return node;
    }
    return NULL;
}

size_t nodes_count(const struct nodes *n)
{
    return n->by_id.count;
}

struct node *nodes_at(const struct nodes *n, size_t index)
{
    return n->by_id.rows[index];
}

/* ---- user ids ---- */

static const char role_letters[] = {
    [TOKEN_NODE] = 'n', [TOKEN_OPERATOR] = 'u', [TOKEN_VIEWER] = 'v'};

char *nodes_user_id(const struct node *node, char out[NODES_USER_ID_TEXT])
{
    (void)snprintf(out, NODES_USER_ID_TEXT, "%c:%" PRIu64, role_letters[node->role], node->id);
    return out;
}

struct node *nodes_find_user_id(const struct nodes *n, const char *user_id)
{
    char again[NODES_USER_ID_TEXT];
    if (strlen(user_id) < 3 || user_id[1] != ':')
        return NULL;
    struct node *node = nodes_find_id(n, strtoull(user_id + 2, NULL, 10));
    return node && strcmp(nodes_user_id(node, again), user_id) == 0 ? node : NULL;
}

/* ---- sessions ---- */

struct session *nodes_open_session(struct nodes *n, link_peer peer, struct node *who,
                                   const struct px_addr *from, px_mono now)
{
    struct session *s = px_xcalloc(1, sizeof *s);
    s->peer = peer;
    s->who = who;
    s->from = *from;
    s->opened = s->heard = now;
    s->rtt = -1;
    table_add(&n->sessions, &peer, s, compare_peer);
    return s;
}

struct session *nodes_find_session(const struct nodes *n, link_peer peer)
{
    return table_find(&n->sessions, &peer, compare_peer);
}

void nodes_close_session(struct nodes *n, link_peer peer, px_wall now)
{
    struct session *s = nodes_find_session(n, peer);
    if (!s)
        return;
    if (s->who && s->who->peer == peer) {
        s->who->peer = 0;
        s->who->last_seen = now;
    }
    table_remove(&n->sessions, &peer, compare_peer);
    free(s);
}

const char *nodes_session_overdue(const struct session *s, px_mono now)
{
    int64_t silent = (now - s->heard) / PX_MS;
    if (s->kick_at && now >= s->kick_at)
        return "had its answer";
    if (!s->who)
        return now - s->opened > LINK_ENROL_MS * PX_MS ? "did not enrol in time" : NULL;
    if (s->who->role == TOKEN_NODE)
        return silent > LINK_DEAD_MS ? "silent for too long" : NULL;
    return silent > NODES_IDLE_MS ? "idle" : NULL;
}

size_t nodes_session_count(const struct nodes *n)
{
    return n->sessions.count;
}

struct session *nodes_session_at(const struct nodes *n, size_t index)
{
    return n->sessions.rows[index];
}

link_peer nodes_on_hello(struct nodes *n, struct session *s, const struct wire_hello *h,
                         px_wall now)
{
    struct node *node = s->who;
    link_peer older = 0;
    (void)n;
    s->greeted = true;
    node->last_seen = now;
    node->source = s->from;
    px_text_copy(node->version, sizeof node->version, h->version);
    memcpy(node->labels, h->labels, sizeof node->labels);
    node->label_count = h->label_count;
    memcpy(node->can, h->can, sizeof node->can);
    node->can_count = h->can_count;
    if (node->role == TOKEN_NODE && node->peer != s->peer) {
        older = node->peer;
        node->peer = s->peer;
    }
    return older;
}

/* A sample is as good as its round trip is short; old ones fade. */
void nodes_on_pong(struct session *s, px_wall echoed, px_wall theirs, px_mono now)
{
    if (s->ping_sent == 0 || echoed != s->ping_sent)
        return;
    int64_t rtt = now - s->ping_at;
    s->ping_sent = 0;
    if (s->rtt < 0 || rtt <= s->rtt + s->rtt / 2 + PX_MS) {
        s->clock_offset = echoed + rtt / 2 - theirs;
        s->clock_known = true;
    }
    s->rtt = s->rtt < 0 || rtt < s->rtt ? rtt : s->rtt + (rtt - s->rtt) / 8;
}

void nodes_on_ping(struct session *s, int64_t clock_offset)
{
    if (s->rtt >= 0 || clock_offset == 0)
        return;
    s->clock_offset = clock_offset;
    s->clock_known = true;
}

/* ---- rows for others ---- */

void nodes_format_wire(const struct node *node, struct wire_node *out)
{
    memset(out, 0, sizeof *out);
    px_text_copy(out->name, sizeof out->name, node->name);
    px_text_copy(out->state, sizeof out->state,
                 node->revoked ? "revoked"
                 : node->peer  ? "up"
                               : "away");
    out->source = node->source;
    memcpy(out->labels, node->labels, sizeof out->labels);
    out->label_count = node->label_count;
    memcpy(out->can, node->can, sizeof out->can);
    out->can_count = node->can_count;
    px_text_copy(out->version, sizeof out->version, node->version);
    out->last_seen = node->last_seen;
    out->joined = node->joined;
}

void nodes_format_vantage(const struct node *node, struct px_vantage *out)
{
    memset(out, 0, sizeof *out);
    px_text_copy(out->name, sizeof out->name, node->name);
    memcpy(out->labels, node->labels, sizeof out->labels);
    out->label_count = node->label_count;
    out->seen_as = node->source;
    out->presence = node->peer ? PX_PRESENT : PX_AWAY;
    out->last_seen = node->last_seen;
}
