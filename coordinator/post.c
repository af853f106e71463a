/* SPDX-License-Identifier: MIT */
/* Messages out. Knows the wire's limits, not what the messages mean. */
#include "coordinator/post.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/text.h"

int post_message(const struct post *p, link_peer peer, const struct wire_message *m)
{
    struct px_err err = {0};
    size_t size = 0;
    uint8_t *bytes = wire_encode(m, &size, &err);
    if (!bytes) {
        px_log(PX_LOG_ERROR, "cannot send %s: %s", wire_kind_name(m->kind), err.message);
        return -1;
    }
    int sent = p->send(p->arg, peer, bytes, size);
    free(bytes);
    return sent;
}

int post_error(const struct post *p, link_peer peer, uint64_t request, const struct px_err *err)
{
    struct wire_message *m = wire_new(WIRE_ERROR);
    m->request = request;
    m->u.error = *err;
    int sent = post_message(p, peer, m);
    wire_free(m);
    return sent;
}

int post_goodbye(const struct post *p, link_peer peer, const char *reason)
{
    struct wire_message *m = wire_new(WIRE_GOODBYE);
    px_text_copy(m->u.goodbye.reason, sizeof m->u.goodbye.reason, reason);
    int sent = post_message(p, peer, m);
    wire_free(m);
    return sent;
}

int post_document(const struct post *p, link_peer peer, uint64_t request, const char *run_id,
                  const char *json, bool final)
{
    struct wire_message *m = wire_new(WIRE_DOCUMENT);
    size_t left = strlen(json);
    int sent = 0;
    m->request = request;
    m->u.document.final = final;
    px_text_copy(m->u.document.run_id, sizeof m->u.document.run_id, run_id);
    do {
        size_t size = left < WIRE_DOCUMENT_PART ? left : WIRE_DOCUMENT_PART;
        m->u.document.json = (const uint8_t *)json;
        m->u.document.json_size = size;
        m->u.document.last = size == left;
        sent = post_message(p, peer, m);
        m->u.document.part++;
        json += size;
        left -= size;
    } while (left > 0 && sent == 0);
    wire_free(m);
    return sent;
}
