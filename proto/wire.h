/* SPDX-License-Identifier: MIT */
/*
 * Messages as plain structs, to and from bytes: the only users of protobuf-c are wire*.c. Decoding
 * foreign bytes allocates within a budget, caps every list and string, checks every word, and gives
 * a whole message or an error.
 */
#ifndef PX_PROTO_WIRE_H
#define PX_PROTO_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/job.h"
#include "common/observation.h"
#include "common/report.h"
#include "proto/limits.h"

#define WIRE_VERSION_TEXT 32
#define WIRE_WORD 24
#define WIRE_CAPABILITIES_MAX 16
#define WIRE_SECRET 32
#define WIRE_ADDRESSES_MAX 32

enum wire_kind {
    WIRE_NONE, /* a well-formed envelope with a body this version does not know */
    WIRE_HELLO,
    WIRE_WELCOME,
    WIRE_ENROL,
    WIRE_ENROLLED,
    WIRE_PING,
    WIRE_PONG,
    WIRE_GOODBYE,
    WIRE_JOB,
    WIRE_CANCEL,
    WIRE_OBSERVATION,
    WIRE_CHECK,
    WIRE_LIST_NODES,
    WIRE_SHOW,
    WIRE_STOP,
    WIRE_PROGRESS,
    WIRE_DOCUMENT,
    WIRE_NODE_LIST,
    WIRE_ERROR,
    WIRE_KIND_COUNT
};

struct wire_node {
    char name[PX_NAME_MAX + 1];
    char state[WIRE_WORD];
    struct px_addr source;
    struct px_label labels[PX_LABELS_MAX];
    uint32_t label_count;
    char can[WIRE_CAPABILITIES_MAX][WIRE_WORD];
    uint32_t can_count;
    char version[WIRE_VERSION_TEXT];
    px_wall last_seen, joined;
};

struct wire_hello {
    char name[PX_NAME_MAX + 1];
    char version[WIRE_VERSION_TEXT];
    struct px_label labels[PX_LABELS_MAX];
    uint32_t label_count;
    char can[WIRE_CAPABILITIES_MAX][WIRE_WORD];
    uint32_t can_count;
    struct px_addr addresses[WIRE_ADDRESSES_MAX];
    uint32_t address_count;
};

struct wire_enrol {
    uint8_t secret[WIRE_SECRET];
    char name[PX_NAME_MAX + 1];
    struct px_label labels[PX_LABELS_MAX];
    uint32_t label_count;
    char version[WIRE_VERSION_TEXT];
};

struct wire_check {
    char target[PX_TARGET_URL];
    char from[WIRE_SELECTOR_MAX + 1];
    bool here;
    enum px_stage depth;         /* NONE = default */
    uint32_t timeout_ms, rounds; /* 0 = default */
    bool fresh;
    bool watch; /* documents without a verdict, too, to show who has reported */
};

struct wire_document {
    char run_id[PX_ID_TEXT];
    uint32_t part;
    bool last, final;
    const uint8_t *json; /* encode: borrowed; decode: owned by the message */
    size_t json_size;
};

/* One decoded message. Large; allocate with wire_new. Texts of strangers (target, from, banner,
 * text, reason, error) may hold anything but NUL: px_text_safe before showing them. */
struct wire_message {
    enum wire_kind kind;
    bool owned; /* set by wire_decode: wire_free also frees json and nodes */
    uint32_t protocol;
    uint64_t request;
    union {
        struct wire_hello hello;
        struct {
            char name[PX_NAME_MAX + 1];
            char role[WIRE_WORD];
            char version[WIRE_VERSION_TEXT];
        } welcome;
        struct wire_enrol enrol;
        struct {
            char name[PX_NAME_MAX + 1];
            char role[WIRE_WORD];
        } enrolled;
        struct {
            px_wall sent;
            int64_t clock_offset; /* ns to add to the sender's clock to get the receiver's */
            uint32_t busy;        /* jobs under way */
        } ping;
        struct {
            px_wall sent, now;
        } pong;
        struct {
            char reason[200];
        } goodbye;
        struct px_job job;
        struct {
            uint64_t id;
            char run_id[PX_ID_TEXT];
        } cancel;
        struct px_observation observation;
        struct wire_check check;
        struct {
            char run_id[PX_ID_TEXT];
        } show;
        struct {
            char run_id[PX_ID_TEXT];
            uint32_t round, reported, expected;
        } progress;
        struct wire_document document;
        struct {
            struct wire_node *nodes;
            size_t count;
            bool last;
        } node_list; /* owned when decoded */
        struct px_err error;
    } u;
};

/* Keys and values hold letters, digits and "._/-"; a key is not empty. */
bool wire_label_valid(const struct px_label *label);

struct wire_message *wire_new(enum wire_kind kind); /* zeroed, protocol set; free with wire_free */
void wire_free(struct wire_message *m);
const char *wire_kind_name(enum wire_kind kind);

/* Bytes of m: heap, *size set, caller frees with free(). NULL and err if it would exceed
 * WIRE_MESSAGE_MAX. */
uint8_t *wire_encode(const struct wire_message *m, size_t *size, struct px_err *err);
/* A whole message, or NULL and err (code "bad-message") saying which field. Unknown words of enums
 * become the UNKNOWN / NONE value; unknown fields are ignored. */
struct wire_message *wire_decode(const uint8_t *bytes, size_t size, struct px_err *err);

#endif
