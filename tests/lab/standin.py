#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Servers that are not what they should be: standin.py MODE ADDRESS PORT.

close   accepts and closes at once       reset   accepts and resets
http    speaks HTTP                      hold    accepts and keeps quiet
noise   greets with random bytes         smtp    greets as a mail server does
One process, one thread; it prints "listening" when it does.
"""
import contextlib
import ipaddress
import selectors
import socket
import struct
import sys

REPLY = b"HTTP/1.0 400 Bad Request\r\nServer: stand-in\r\nContent-Length: 0\r\n\r\n"
RESET = struct.pack("ii", 1, 0)
GREETINGS = {"noise": bytes(range(128, 255)) + b"\r\n", "smtp": b"220 mail ESMTP\r\n"}


def accept(server: socket.socket, mode: str, chooser: selectors.BaseSelector) -> None:
    try:
        connection, _ = server.accept()
    except OSError:
        return  # it has gone again
    if mode == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    if mode in ("close", "reset"):
        connection.close()
        return
    if mode in GREETINGS:
        with contextlib.suppress(OSError):
            connection.sendall(GREETINGS[mode])
    connection.setblocking(False)
    chooser.register(connection, selectors.EVENT_READ)


def answer(connection: socket.socket, mode: str, chooser: selectors.BaseSelector) -> None:
    """One more read of a client: HTTP answers and closes, the others only notice the end."""
    try:
        data = connection.recv(65536)
        if data and mode == "http":
            connection.sendall(REPLY)
    except OSError:
        data = b""
    if not data or mode == "http":
        chooser.unregister(connection)
        connection.close()


def main(mode: str, address: str, port: int) -> None:
    version = ipaddress.ip_address(address).version
    server = socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    server.listen(1024)
    print("listening", flush=True)
    with selectors.DefaultSelector() as chooser:
        chooser.register(server, selectors.EVENT_READ)
        while True:
            for key, _ in chooser.select():
                if key.fileobj is server:
                    accept(server, mode, chooser)
                else:
                    answer(key.fileobj, mode, chooser)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
