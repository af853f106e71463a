/* SPDX-License-Identifier: MIT */
/*
 * Shared by the wire*.c files: memory of one message, the checks every decoded field passes, and
 * short forms for setting encoded fields. Decoders return 0, or -1 with err naming the field.
 */
#ifndef PX_PROTO_WIRE_CODEC_H
#define PX_PROTO_WIRE_CODEC_H

#include <stdbool.h>
#include <string.h>
#include <sys/queue.h>

#include "proto/parallax.pb-c.h"
#include "proto/wire.h"

/* ---- memory ---- */
struct wire_block;
struct wire_arena {
    LIST_HEAD(, wire_block) blocks;
    size_t left; /* budget in bytes */
};
/* Zeroed; NULL when the budget is used up or memory is out. */
void *wire_arena_alloc(struct wire_arena *a, size_t size);
void wire_arena_free(struct wire_arena *a, void *p); /* gives back to the budget */
/* The same for messages of our own making: memory exhaustion aborts. */
void *wire_out_alloc(struct wire_arena *a, size_t size);
void wire_arena_clear(struct wire_arena *a);

/* ---- encoding ---- */
#define WIRE_OUT(a, type, init)                                                                    \
    ((type *)memcpy(wire_out_alloc((a), sizeof(type)), &(const type)init, sizeof(type)))
/* A scalar with its presence flag. */
#define WIRE_SET(message, field, number) ((message)->has_##field = 1, (message)->field = (number))
/* A text or address; "" and family 0 stay absent. */
#define WIRE_SET_TEXT(message, field, s)                                                           \
    ((message)->field = wire_out_text(s), (message)->has_##field = (message)->field.len > 0)
#define WIRE_SET_ADDR(message, field, address)                                                     \
    ((message)->field = wire_out_addr(address), (message)->has_##field = (message)->field.len > 0)

ProtobufCBinaryData wire_out_text(const char *s);           /* borrows s */
ProtobufCBinaryData wire_out_addr(const struct px_addr *a); /* borrows a */
size_t wire_out_labels(struct wire_arena *a, const struct px_label *labels, uint32_t n,
                       Parallax__Label ***out);
size_t wire_out_words(struct wire_arena *a, const char (*words)[WIRE_WORD], uint32_t n,
                      ProtobufCBinaryData **out);
size_t wire_out_addrs(struct wire_arena *a, const struct px_addr *addrs, uint32_t n,
                      ProtobufCBinaryData **out);

/* ---- decoding ---- */
enum wire_text_rule {
    WIRE_TEXT_NAME, /* "" or px_name_valid */
    WIRE_TEXT_WORD, /* [a-z0-9-] */
    WIRE_TEXT_ID,   /* [A-Za-z0-9_-] */
    WIRE_TEXT_LINE, /* UTF-8 without control characters */
    WIRE_TEXT_RAW,  /* anything but NUL; escape before showing */
    WIRE_TEXT_RULES
};
int wire_in_text(struct px_err *err, const char *field, ProtobufCBinaryData in,
                 enum wire_text_rule rule, char *out, size_t out_size);
/* Words of the vocabulary; unknown ones become NONE and UNKNOWN. */
int wire_in_stage(struct px_err *err, const char *field, ProtobufCBinaryData in,
                  enum px_stage *out);
int wire_in_code(struct px_err *err, const char *field, ProtobufCBinaryData in, enum px_code *out);
int wire_in_addr(struct px_err *err, const char *field, ProtobufCBinaryData in,
                 struct px_addr *out);
/* n of a list, or a number, is at most max. */
int wire_in_limit(struct px_err *err, const char *field, uint64_t n, uint64_t max);
/* Microseconds to nanoseconds. */
int wire_in_time(struct px_err *err, const char *field, int64_t us, int64_t *ns);
/* Finite and of sane size; absent or negative = unknown (-1). */
int wire_in_ms(struct px_err *err, const char *field, bool has, double ms, double *out);
int wire_in_finite(struct px_err *err, const char *field, double value, double *out);
int wire_in_labels(struct px_err *err, size_t n, Parallax__Label **in, struct px_label *out,
                   uint32_t *count);
int wire_in_words(struct px_err *err, size_t n, const ProtobufCBinaryData *in,
                  char (*out)[WIRE_WORD], uint32_t *count);

/* ---- one body of the envelope ---- */
typedef void wire_encode_body(const struct wire_message *m, Parallax__Envelope *e,
                              struct wire_arena *a);
typedef int wire_decode_body(const Parallax__Envelope *e, struct wire_message *m,
                             struct px_err *err);

wire_encode_body wire_encode_hello, wire_encode_welcome, wire_encode_enrol, wire_encode_enrolled,
    wire_encode_ping, wire_encode_pong, wire_encode_goodbye, wire_encode_job, wire_encode_cancel,
    wire_encode_observation, wire_encode_check, wire_encode_list_nodes, wire_encode_show,
    wire_encode_stop, wire_encode_progress, wire_encode_document, wire_encode_node_list,
    wire_encode_error;
wire_decode_body wire_decode_hello, wire_decode_welcome, wire_decode_enrol, wire_decode_enrolled,
    wire_decode_ping, wire_decode_pong, wire_decode_goodbye, wire_decode_job, wire_decode_cancel,
    wire_decode_observation, wire_decode_check, wire_decode_nothing, wire_decode_show,
    wire_decode_progress, wire_decode_document, wire_decode_node_list, wire_decode_error;

#endif
