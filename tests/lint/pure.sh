#!/bin/sh
# SPDX-License-Identifier: MIT
# pure.sh LIBRARY: the judge depends on its arguments alone: no socket, file, clock, environment, chance or event loop.
set -eu
forbidden='socket|connect|send(to|msg)?|recv(from|msg)?|open(at|64)?|fopen(64)?|read|write|clock_gettime|gettimeofday|time|rand|random|getrandom|getenv|px_(mono|wall)_now|event_.*|evtimer_.*|zmq_.*|sqlite3_.*'
used=$(nm --undefined-only --no-sort "$1" | awk '$1 == "U" {print $2}' | sort -u)
[ -n "$used" ] || { echo "pure.sh: nm says nothing about $1"; exit 1; }
if printf '%s\n' "$used" | grep -Ex "$forbidden"; then
    echo "pure.sh: these do not belong into $1"
    exit 1
fi
echo "$(printf '%s\n' "$used" | wc -l) symbols from outside, none of them impure"
