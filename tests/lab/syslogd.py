#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A syslog of one machine of the lab: syslogd.py SOCKET FILE.

Debian 12 has no syslog daemon unless one is installed, and fail2ban reads what sshd tells syslog.
This writes the datagrams of SOCKET to FILE as /var/log/auth.log would have them.
"""
import re
import socket
import sys

PRIORITY = re.compile(rb"^<\d+>")


def main(path: str, log: str) -> None:
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(path)
    with open(log, "ab", buffering=0) as output:
        print("listening", flush=True)
        while True:
            line = PRIORITY.sub(b"", receiver.recv(65536)).rstrip(b"\n\0")
            stamp, message = line[:15], line[15:].lstrip()  # "Nov 20 14:02:11 sshd[7]: .."
            output.write(stamp + b" target " + message + b"\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
