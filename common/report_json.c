/* SPDX-License-Identifier: MIT */
/* The tables of "parallax.run/1": which member of which record has which name in JSON. */
#include "common/report_json.h"

#define SIZE(record, member) sizeof(((struct record *)0)->member)
#define FIELD(record, member, word, kind_)                                                         \
    .name = word, .kind = PX_FIELD_##kind_, .offset = offsetof(struct record, member),             \
    .size = SIZE(record, member)
/* A list inside the record, or on the heap: elements and the count beside them. */
#define LIST(record, member, count, word, kind_)                                                   \
    .name = word, .kind = PX_FIELD_##kind_, .offset = offsetof(struct record, member),             \
    .size = SIZE(record, member[0]), .count_offset = offsetof(struct record, count),               \
    .count_size = SIZE(record, count)
#define ROOM(record, member) .max = SIZE(record, member) / SIZE(record, member[0])
#define TABLE(rows)                                                                                \
    {                                                                                              \
        rows, sizeof(rows) / sizeof((rows)[0])                                                     \
    }
#define REQUIRED .flags = PX_FIELD_REQUIRED
#define ALWAYS .flags = PX_FIELD_ALWAYS
#define OR_NULL .flags = PX_FIELD_NULL
/* Members of the record that stand in an object of their own. */
#define ITSELF(word) .name = word, .kind = PX_FIELD_RECORD
#define RAN(record, member) .ran_offset = offsetof(struct record, member)

/* ---- what a vantage saw ---- */

static const struct px_json_field icmp_fields[] = {
    {FIELD(px_icmp, type, "type", COUNT), ALWAYS},
    {FIELD(px_icmp, code, "code", COUNT), ALWAYS},
    {FIELD(px_icmp, from, "from", ADDRESS), REQUIRED},
    {FIELD(px_icmp, ttl, "ttl", COUNT)},
    {FIELD(px_icmp, own, "own", BOOL), ALWAYS},
};
static const struct px_json_table icmp = TABLE(icmp_fields);

static const struct px_json_field attempt_fields[] = {
    {FIELD(px_attempt, port, "port", COUNT)},
    {FIELD(px_attempt, code, "code", WORD), .vocab = PX_VOCAB_CODE, REQUIRED},
    {FIELD(px_attempt, ms, "ms", MS)},
    {FIELD(px_attempt, icmp, "icmp", RECORD), .table = &icmp},
    {FIELD(px_attempt, source_port, "source_port", COUNT)},
    {FIELD(px_attempt, unacked, "unacked", COUNT)},
    {FIELD(px_attempt, retransmits, "retransmits", COUNT)},
    {FIELD(px_attempt, rtt_ms, "rtt_ms", MS)},
};
static const struct px_json_table attempt = TABLE(attempt_fields);

static const struct px_json_field hop_fields[] = {
    {FIELD(px_hop, ttl, "ttl", COUNT), REQUIRED},
    {FIELD(px_hop, from, "from", ADDRESS)},
    {FIELD(px_hop, ms, "ms", MS)},
    {FIELD(px_hop, type, "type", COUNT)},
    {FIELD(px_hop, code, "code", COUNT)},
};
static const struct px_json_table hop = TABLE(hop_fields);

static const struct px_json_field reference_fields[] = {
    {FIELD(px_reference, name, "name", TEXT), REQUIRED},
    {FIELD(px_reference, code, "code", WORD), .vocab = PX_VOCAB_CODE, REQUIRED},
};
static const struct px_json_table reference = TABLE(reference_fields);

static const struct px_json_field echo_fields[] = {
    {FIELD(px_echo, sent, "sent", COUNT), ALWAYS},
    {FIELD(px_echo, received, "received", COUNT), ALWAYS},
    {FIELD(px_echo, ms, "ms", MS)},
    {FIELD(px_echo, code, "code", WORD), .vocab = PX_VOCAB_CODE},
    {FIELD(px_echo, icmp, "icmp", RECORD), .table = &icmp},
};
static const struct px_json_table echo = TABLE(echo_fields);

static const struct px_json_field ssh_fields[] = {
    {FIELD(px_observation, banner, "banner", RAW)},
    {FIELD(px_observation, hostkey, "hostkey", TEXT)},
    {FIELD(px_observation, hostkey_type, "hostkey_type", TEXT)},
    {FIELD(px_observation, kex, "kex", TEXT)},
};
static const struct px_json_table ssh = TABLE(ssh_fields);

static const struct px_json_field strikes_fields[] = {
    {FIELD(px_observation, strikes_used, "used", COUNT)},
    {FIELD(px_observation, strikes_max, "max", COUNT)},
    {FIELD(px_observation, strikes_next_ms, "next_ms", LONG)},
};
static const struct px_json_table strikes = TABLE(strikes_fields);

static const struct px_json_field result_fields[] = {
    {FIELD(px_observation, run_id, "run", TEXT), ALWAYS},
    {FIELD(px_observation, job_id, "job", ID)},
    {FIELD(px_observation, round, "round", COUNT), ALWAYS},
    {FIELD(px_observation, source, "source", ADDRESS)},
    {FIELD(px_observation, address, "address", ADDRESS)},
    {LIST(px_observation, addresses, address_count, "addresses", ADDRESSES),
     ROOM(px_observation, addresses)},
    {FIELD(px_observation, code, "code", WORD), .vocab = PX_VOCAB_CODE, REQUIRED},
    {FIELD(px_observation, stage, "stage", WORD), .vocab = PX_VOCAB_STAGE, REQUIRED},
    {FIELD(px_observation, depth, "depth", WORD), .vocab = PX_VOCAB_STAGE},
    {FIELD(px_observation, icmp, "icmp", RECORD), .table = &icmp},
    {FIELD(px_observation, ms, "ms", STAGES), ALWAYS},
    {LIST(px_observation, attempts, attempt_count, "attempts", LIST),
     ROOM(px_observation, attempts), .table = &attempt},
    {FIELD(px_observation, echo, "echo", RECORD), .table = &echo, RAN(px_observation, echo.ran)},
    {LIST(px_observation, controls, control_count, "controls", LIST),
     ROOM(px_observation, controls), .table = &attempt},
    {LIST(px_observation, references, reference_count, "references", LIST),
     ROOM(px_observation, references), .table = &reference},
    {LIST(px_observation, trace.hops, trace.count, "trace", LIST), ROOM(px_observation, trace.hops),
     .table = &hop, RAN(px_observation, trace.ran)},
    {ITSELF("ssh"), .table = &ssh},
    {FIELD(px_observation, text, "text", RAW)},
    {FIELD(px_observation, started, "started", TIME)},
    {FIELD(px_observation, skew_ms, "skew_ms", NUMBER)},
    {FIELD(px_observation, took_ms, "took_ms", MS)},
    {FIELD(px_observation, lag_ms, "lag_ms", MS)},
    {FIELD(px_observation, limited, "limited", BOOL)},
    {FIELD(px_observation, reused, "reused", BOOL)},
    {ITSELF("strikes"), .table = &strikes},
};
const struct px_json_table px_json_result = TABLE(result_fields);

static const struct px_json_field control_fields[] = {
    {FIELD(px_observation, controls[0], "control", RECORD), .table = &attempt},
};
const struct px_json_table px_json_control = TABLE(control_fields);

/* ---- what was made of it ---- */

static const struct px_json_field group_fields[] = {
    {FIELD(px_finding, group_attribute, "attribute", STRING), REQUIRED},
    {FIELD(px_finding, group_values, "values", STRINGS), ALWAYS},
};
static const struct px_json_table group = TABLE(group_fields);

static const struct px_json_field evidence_fields[] = {
    {FIELD(px_evidence, id, "id", STRING), OR_NULL},
    {FIELD(px_evidence, vantages, "vantages", STRINGS), ALWAYS},
    {FIELD(px_evidence, text, "text", STRING), OR_NULL},
};
static const struct px_json_table evidence = TABLE(evidence_fields);

static const struct px_json_field ruled_out_fields[] = {
    {FIELD(px_ruled_out, cause, "cause", WORD), .vocab = PX_VOCAB_CAUSE, REQUIRED},
    {FIELD(px_ruled_out, because, "because", STRING), OR_NULL},
};
static const struct px_json_table ruled_out = TABLE(ruled_out_fields);

static const struct px_json_field alternative_fields[] = {
    {FIELD(px_alternative, scope, "scope", WORD), .vocab = PX_VOCAB_SCOPE, REQUIRED},
    {FIELD(px_alternative, cause, "cause", WORD), .vocab = PX_VOCAB_CAUSE, REQUIRED},
    {FIELD(px_alternative, probability, "probability", SHARE), ALWAYS},
};
static const struct px_json_table alternative = TABLE(alternative_fields);

static const struct px_json_field step_fields[] = {
    {FIELD(px_step, where, "where", STRING), OR_NULL},
    {FIELD(px_step, run, "run", STRING), OR_NULL},
    {FIELD(px_step, why, "why", STRING), OR_NULL},
};
static const struct px_json_table step = TABLE(step_fields);

static const struct px_json_field deciding_fields[] = {
    {FIELD(px_deciding, kind, "kind", STRING), REQUIRED},
    {FIELD(px_deciding, from, "from", STRINGS), ALWAYS},
    {FIELD(px_deciding, needs, "needs", STRING), OR_NULL},
    {LIST(px_deciding, splits, split_count, "splits", WORDS), ROOM(px_deciding, splits),
     .vocab = PX_VOCAB_CAUSE, ALWAYS},
};
static const struct px_json_table deciding = TABLE(deciding_fields);

static const struct px_json_field finding_fields[] = {
    {FIELD(px_finding, scope, "scope", WORD), .vocab = PX_VOCAB_SCOPE, REQUIRED},
    {FIELD(px_finding, cause, "cause", WORD), .vocab = PX_VOCAB_CAUSE, REQUIRED},
    {FIELD(px_finding, certainty, "certainty", WORD), .vocab = PX_VOCAB_CERTAINTY, REQUIRED},
    {FIELD(px_finding, scope_certainty, "scope_certainty", WORD), .vocab = PX_VOCAB_CERTAINTY},
    {LIST(px_finding, ambiguous_with, ambiguous_count, "ambiguous_with", WORDS),
     ROOM(px_finding, ambiguous_with), .vocab = PX_VOCAB_CAUSE, ALWAYS},
    {FIELD(px_finding, probability, "probability", SHARE), ALWAYS},
    {FIELD(px_finding, scope_probability, "scope_probability", SHARE), ALWAYS},
    {FIELD(px_finding, layer, "layer", WORD), .vocab = PX_VOCAB_STAGE},
    {FIELD(px_finding, affected, "affected", STRINGS), ALWAYS},
    {FIELD(px_finding, unaffected, "unaffected", STRINGS), ALWAYS},
    {ITSELF("group"), .table = &group, OR_NULL},
    {FIELD(px_finding, where, "where", STRING), OR_NULL},
    {FIELD(px_finding, since, "since", TIME), OR_NULL},
    {FIELD(px_finding, summary, "summary", STRING), OR_NULL},
    {LIST(px_finding, evidence, evidence_count, "evidence", HEAP), .max = PX_REPORT_LIST_MAX,
     .table = &evidence, ALWAYS},
    {LIST(px_finding, ruled_out, ruled_out_count, "ruled_out", HEAP), .max = PX_REPORT_LIST_MAX,
     .table = &ruled_out, ALWAYS},
    {LIST(px_finding, alternatives, alternative_count, "alternatives", HEAP),
     .max = PX_REPORT_LIST_MAX, .table = &alternative, ALWAYS},
    {LIST(px_finding, steps, step_count, "next_steps", HEAP), .max = PX_REPORT_LIST_MAX,
     .table = &step, ALWAYS},
    {FIELD(px_finding, deciding, "deciding_probe", RECORD), .table = &deciding, OR_NULL},
};
static const struct px_json_table finding = TABLE(finding_fields);

static const struct px_json_field verdict_fields[] = {
    {FIELD(px_verdict, status, "status", WORD), .vocab = PX_VOCAB_STATUS, REQUIRED},
    {FIELD(px_verdict, summary, "summary", STRING), REQUIRED},
    {LIST(px_verdict, findings, finding_count, "findings", HEAP), .max = PX_REPORT_LIST_MAX,
     .table = &finding, ALWAYS},
};
static const struct px_json_table verdict = TABLE(verdict_fields);

static const struct px_json_field report_verdict_fields[] = {
    {FIELD(px_report, verdict, "verdict", RECORD), .table = &verdict, OR_NULL},
};
const struct px_json_table px_json_verdict = TABLE(report_verdict_fields);

/* ---- the frame ---- */

static const struct px_json_field vantage_fields[] = {
    {FIELD(px_vantage, name, "name", TEXT), REQUIRED},
    {FIELD(px_vantage, seen_as, "seen_as", ADDRESS)},
    {FIELD(px_vantage, last_seen, "last_seen", TIME)},
};
const struct px_json_table px_json_vantage = TABLE(vantage_fields);

static const struct px_json_field report_fields[] = {
    {FIELD(px_report, id, "id", TEXT), ALWAYS},
    {FIELD(px_report, started, "started", TIME)},
    {FIELD(px_report, took_ms, "took_ms", NUMBER), ALWAYS},
    {FIELD(px_report, rounds, "rounds", COUNT), ALWAYS},
    {FIELD(px_report, depth, "depth", WORD), .vocab = PX_VOCAB_STAGE},
    {FIELD(px_report, finished, "finished", BOOL), ALWAYS},
};
const struct px_json_table px_json_report = TABLE(report_fields);
