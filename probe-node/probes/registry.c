/* SPDX-License-Identifier: MIT */
/* All probe types. Adding one means one file and one row. */
#include <string.h>

#include "probe-node/probes/probe.h"

extern const struct probe_ops dns_probe_ops, tcp_probe_ops, ssh_probe_ops, echo_probe_ops,
    control_probe_ops, reference_probe_ops, trace_probe_ops;

static const struct probe_ops *const registry[] = {
    &dns_probe_ops,     &tcp_probe_ops,       &ssh_probe_ops,   &echo_probe_ops,
    &control_probe_ops, &reference_probe_ops, &trace_probe_ops,
};

const struct probe_ops *probe_find(const char *name)
{
    for (size_t i = 0; i < sizeof(registry) / sizeof(registry[0]); i++) {
        if (strcmp(registry[i]->name, name) == 0)
            return registry[i];
    }
    return NULL;
}
