/* SPDX-License-Identifier: MIT */
/* Every limit of the wire, in one place; PROTOCOL.md repeats them and a test exceeds each. */
#ifndef PX_PROTO_LIMITS_H
#define PX_PROTO_LIMITS_H

#define WIRE_PROTOCOL 1u     /* spoken by this version */
#define WIRE_PROTOCOL_MIN 1u /* oldest still understood */
#define WIRE_MESSAGE_MAX (256u << 10)
#define WIRE_MESSAGE_PENDING_MAX 4096u /* from a peer that has not enrolled yet */
#define WIRE_DOCUMENT_PART (128u << 10)
#define WIRE_LIST_MAX 64u
#define WIRE_TARGETS_MAX 256u
#define WIRE_SELECTOR_MAX 1024u
#define WIRE_NODES_MAX 256u /* per part of a node list */
#define WIRE_TIMEOUT_MAX_MS 600000u
#define WIRE_ROUNDS_MAX 10000u

#define LINK_FRAME_MAX (WIRE_MESSAGE_MAX + 256u) /* encryption adds a few bytes */
#define LINK_HANDSHAKE_MS 5000
#define LINK_CONNECT_MS 5000
#define LINK_HEARTBEAT_MS 10000 /* application ping of the node */
#define LINK_DEAD_MS 25000      /* silence after which the coordinator drops a peer */
#define LINK_ENROL_MS 5000      /* a pending peer enrols within */
#define LINK_BACKLOG 4096
#define LINK_HWM 64

#endif
