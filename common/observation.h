/* SPDX-License-Identifier: MIT */
/*
 * What one vantage saw of one target in one round: a plain value, filled by probes, carried by the
 * wire, kept by the store, judged by coordinator/diagnose. Unknown is always told apart from zero:
 * negative times, family 0, counts of things that ran.
 */
#ifndef PX_COMMON_OBSERVATION_H
#define PX_COMMON_OBSERVATION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/clock.h"
#include "common/job.h"
#include "common/vocab.h"

#define PX_HOPS_MAX 32
#define PX_ADDRS_MAX 8
#define PX_REFERENCES_MAX 4
#define PX_TEXT_MAX 255

/* An ICMP(v6) error that answered one of our packets. */
struct px_icmp {
    struct px_addr from; /* family 0 = there was none */
    uint8_t type, code;
    uint8_t ttl; /* of the ICMP packet as received; 0 = unknown */
    bool own;    /* sender is an address of the vantage itself */
};

/* One TCP connection attempt. */
struct px_attempt {
    enum px_code code; /* UNKNOWN = slot unused */
    struct px_icmp icmp;
    double ms;     /* until the answer or the deadline; < 0 unknown */
    uint16_t port; /* destination port */
    uint16_t source_port;
    uint16_t unacked, retransmits; /* TCP_INFO when it ended; tells the direction of a loss */
    double rtt_ms;                 /* TCP_INFO, < 0 unknown */
};

struct px_hop {
    uint8_t ttl;
    struct px_addr from; /* family 0 = silent */
    uint8_t type, code;  /* ICMP; for the target's own SYN-ACK or RST both 0 */
    double ms;           /* < 0 unknown */
};

struct px_trace {
    bool ran;
    bool reached;     /* the target itself answered */
    bool flow_varied; /* hops were asked from different source ports */
    uint8_t count;
    struct px_hop hops[PX_HOPS_MAX]; /* ascending ttl, no gaps from hops[0].ttl on */
};

struct px_echo {
    bool ran;
    enum px_code code; /* OK, NO_ANSWER, UNREACHABLE, REJECTED, UNABLE... */
    uint16_t sent, received;
    double ms; /* best round trip, < 0 none */
    struct px_icmp icmp;
};

struct px_reference {
    char name[80]; /* "host:port" as configured at the node */
    enum px_code code;
};

struct px_observation {
    uint32_t vantage; /* index into px_report.vantages; set by whoever collects */
    char run_id[PX_ID_TEXT];
    uint64_t job_id;
    uint32_t round;
    px_wall started; /* on the coordinator's clock once ingested */
    double skew_ms;  /* actual start minus the common start */
    double took_ms;
    double lag_ms; /* worst delay of the vantage's own event loop while it ran; < 0 unknown */

    enum px_stage stage; /* where it ended: the failing stage, or the deepest completed one */
    enum px_code code;
    enum px_stage depth;       /* what was asked for */
    double ms[PX_STAGE_COUNT]; /* since the job's start until the stage was complete; < 0 = not
                                  reached */

    struct px_addr source;                  /* local address used, family 0 unknown */
    struct px_addr address;                 /* target address probed */
    struct px_addr addresses[PX_ADDRS_MAX]; /* what the name resolved to here */
    uint32_t address_count;

    struct px_icmp icmp;                            /* of the decisive attempt */
    struct px_attempt attempts[PX_REPEATS_MAX + 1]; /* ladder's connect first, then repeats */
    uint32_t attempt_count;
    struct px_attempt controls[PX_CONTROLS_MAX];
    uint32_t control_count;
    struct px_reference references[PX_REFERENCES_MAX];
    uint32_t reference_count;
    struct px_echo echo;
    struct px_trace trace;

    char banner[PX_TEXT_MAX + 1]; /* "SSH-2.0-..." */
    char text[PX_TEXT_MAX +
              1];          /* what a refusing or foreign service said; or libssh's error; raw bytes
                              possible except NUL: escape before printing (px_text_safe) */
    char hostkey_type[40]; /* "ssh-ed25519" */
    char hostkey[64];      /* "SHA256:..." */
    char kex[80];

    bool limited;                       /* the politeness budget cut the ladder short */
    bool reused;                        /* an earlier result, shown again */
    uint32_t strikes_used, strikes_max; /* against this target, after this job */
    int64_t strikes_next_ms;            /* until the next handshake is allowed; 0 = now */
};

/* Everything unknown: times negative, codes UNKNOWN. */
void px_observation_init(struct px_observation *o);

#endif
