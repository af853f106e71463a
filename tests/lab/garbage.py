#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Throws nonsense at a TCP port: garbage.py ADDRESS PORT SEED. Prints how many connections it made.

Random bytes, the start of a ZMTP greeting with random bytes after it, a greeting cut short, huge
announced lengths, and connections that say nothing at all.
"""
import ipaddress
import random
import socket
import sys

GREETING = b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03\x00"
CURVE = GREETING + b"CURVE".ljust(20, b"\0") + b"\0" * 32
CONNECTIONS = 150


def payload(rng: random.Random) -> bytes:
    kind = rng.randrange(6)
    noise = rng.randbytes(rng.randrange(1, 4000))
    if kind == 0:
        return noise
    if kind == 1:
        return GREETING + noise
    if kind == 2:
        return CURVE[:rng.randrange(1, len(CURVE))]
    if kind == 3:  # a command frame that announces far too much
        return CURVE + b"\x06" + b"\x7f" * 8 + noise
    if kind == 4:  # a HELLO of the right length and random content
        return CURVE + b"\x04\xc8\x05HELLO\x01\x00" + rng.randbytes(192)
    return b""


def main(address: str, port: int, seed: str) -> None:
    rng = random.Random(seed)
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    held, made = [], 0
    for _ in range(CONNECTIONS):
        connection = socket.socket(family)
        connection.settimeout(5)
        try:
            connection.connect((address, port))
            made += 1
            connection.sendall(payload(rng))
            connection.setblocking(False)
            connection.recv(4096)
        except OSError:
            pass  # refused, reset or nothing to read yet: all of that is the other side's right
        if rng.random() < 0.5:
            connection.close()
        else:
            held.append(connection)
    for connection in held:
        connection.close()
    print(f"{made} of {CONNECTIONS} connections made")
    sys.exit(0 if made > CONNECTIONS // 2 else 1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
