/* SPDX-License-Identifier: MIT */
/*
 * What the vantage's own machine is called and which addresses are its neighbours: needed to tell
 * an ICMP error of our own kernel from one of the network. Asked only after a failure; the list of
 * addresses is read again when it is older than five seconds.
 */
#ifndef PX_PROBES_NET_OWN_H
#define PX_PROBES_NET_OWN_H

#include "common/addr.h"

/* Is it an address of this machine? False if the list cannot be read. */
bool net_own_has(const struct px_addr *a);
/* Has this machine an address of that family (4, 6) with which it could leave: neither loopback
 * nor link-local? True if the list cannot be read. */
bool net_own_has_family(uint8_t family);
/* Would a packet to that address be delivered without a gateway? False also if there is no route.
 */
bool net_own_is_neighbour(const struct px_addr *a);

#endif
