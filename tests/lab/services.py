# SPDX-License-Identifier: MIT
"""What runs on the target: a real sshd with a configuration of its own, a real fail2ban, stand-ins
for servers that misbehave. All of it inside the target's namespace, all files in the lab's scratch
directory; nothing of this computer's own sshd or fail2ban is read but their filters and actions.
"""
from __future__ import annotations

from pathlib import Path
from typing import Optional

from internet import Internet
from machines import LabError, Process, wait_until

HERE = Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"
STANDIN = HERE / "standin.py"
# A private /dev with the socket of the machine's own syslog, then /run/sshd where it is missing.
OWN_DEV = """
set -e
mkdir -p "$1/dev"; mount --rbind /dev "$1/dev"
mount -t tmpfs -o mode=755 none /dev
for node in null zero full random urandom tty; do
    : > /dev/$node; mount --bind "$1/dev/$node" /dev/$node
done
ln -s "$1/syslog" /dev/log
if [ ! -d /run/sshd ]; then
    mkdir -p "$1/run/sshd"; chmod 755 "$1/run" "$1/run/sshd"; mount --bind "$1/run" /run
fi
shift; exec "$@"
"""
SSHD_CONFIG = """\
Port {port}
ListenAddress {address}
HostKey {directory}/hostkey
PidFile none
UsePAM no
PasswordAuthentication yes
KbdInteractiveAuthentication no
AuthorizedKeysFile none
StrictModes no
LogLevel INFO
"""
FAIL2BAN_CONFIG = """\
[Definition]
loglevel = INFO
logtarget = {directory}/fail2ban.log
syslogsocket = auto
socket = {directory}/fail2ban.sock
pidfile = {directory}/fail2ban.pid
dbfile = None
[Thread]
"""
JAIL_CONFIG = """\
[DEFAULT]
ignoreself = false
backend = polling
usedns = no
allowipv6 = yes
[sshd]
enabled = true
filter = sshd[mode={mode}]
logpath = {log}
maxretry = 3
findtime = 600
bantime = 600
action = {action}[name=sshd, port="{port}", protocol="tcp", chain="INPUT"{more}]
"""


class Sshd:
    """The target's SSH server and its log as syslog wrote it."""

    def __init__(self, net: Internet, port: Optional[int] = None) -> None:
        self.net, self.port = net, port or net.world.port
        self.directory = net.lab.directory("target")
        self.log = self.directory / "auth.log"
        self.process: Optional[Process] = None

    def start(self) -> "Sshd":
        net, directory = self.net, self.directory
        syslog = net.lab.start("target", "syslogd", [PYTHON, "-B", str(HERE / "syslogd.py"),
                                                     str(directory / "syslog"), str(self.log)])
        net.run("target", ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                           str(directory / "hostkey")])
        config = directory / "sshd_config"
        config.write_text(SSHD_CONFIG.format(port=self.port, address=net.world.target,
                                             directory=directory))
        syslog.wait_for("listening")
        self.process = net.lab.start(
            "target", "sshd", ["sh", "-c", OWN_DEV, "sh", str(directory), "/usr/sbin/sshd", "-D",
                               "-f", str(config)])
        wait_until(lambda: self._listens(), 10, lambda: f"sshd: {self.process.tail()}")
        return self

    def _listens(self) -> bool:
        if not self.process.alive():
            raise LabError(f"sshd ended: {self.process.tail()}")
        return "Server listening" in (self.log.read_text() if self.log.exists() else "")

    def stop(self) -> None:
        self.process.stop()


class Fail2ban:
    """A real fail2ban-server with one jail, watching the log of the target's sshd."""

    def __init__(self, net: Internet, sshd: Sshd, action: str = "iptables-multiport",
                 drop: bool = False, mode: str = "normal") -> None:
        self.net, self.sshd, self.action, self.drop, self.mode = net, sshd, action, drop, mode
        self.directory = net.lab.directory("fail2ban")
        self.process: Optional[Process] = None

    def start(self) -> "Fail2ban":
        directory = self.directory
        for part in ("action.d", "filter.d"):
            (directory / part).symlink_to(f"/etc/fail2ban/{part}")
        (directory / "fail2ban.conf").write_text(FAIL2BAN_CONFIG.format(directory=directory))
        more = ', blocktype="DROP"' if self.drop else ""
        if self.drop and self.action.startswith("nftables"):
            more = ', blocktype="drop"'
        (directory / "jail.conf").write_text(JAIL_CONFIG.format(
            log=self.sshd.log, port=self.sshd.port, action=self.action, mode=self.mode,
            more=more))
        self.process = self.net.lab.start(
            "target", "fail2ban", ["fail2ban-server", "-c", str(directory), "-f", "start"])
        wait_until(self._ready, 20, lambda: f"fail2ban: {self.process.tail()}\n{self._log()}")
        return self

    def client(self, *words: str) -> str:
        return self.net.run("target", ["fail2ban-client", "-c", str(self.directory), *words],
                            check=False).stdout

    def banned(self) -> set[str]:
        return set(self.client("get", "sshd", "banip").split())

    def provoke(self, vantage: str) -> None:
        """Fail to log in from there until fail2ban has banned that address, as an attacker would."""
        address = str(self.net.address(vantage))
        for _ in range(3):
            if address not in self.banned():
                self._fail_to_log_in(vantage)
        wait_until(lambda: address in self.banned(), 20,
                   lambda: f"no ban of {address}:\n{self._log()}\n{self.sshd.log.read_text()}")
        wait_until(lambda: self._refused(vantage), 10, lambda: f"the ban of {address} has no effect")

    def _fail_to_log_in(self, vantage: str) -> None:
        # A ban that starts meanwhile freezes the session, hence the time limit.
        self.net.run(vantage, ["timeout", "5", "ssh", "-F", "none", "-o", "BatchMode=yes",
                               "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                               "-o", "ConnectTimeout=3", "-o", "IdentityFile=none",
                               "-p", str(self.sshd.port), "-l", "intruder",
                               str(self.net.world.target)], check=False)

    def _refused(self, vantage: str) -> bool:
        return not can_connect(self.net, vantage, str(self.net.world.target), self.sshd.port, 0.5)

    def _ready(self) -> bool:
        if not self.process.alive():
            raise LabError(f"fail2ban ended: {self.process.tail()}\n{self._log()}")
        return "pong" in self.client("ping") and "sshd" in self.client("status")

    def _log(self) -> str:
        path = self.directory / "fail2ban.log"
        return path.read_text() if path.exists() else ""


def stand_in(net: Internet, mode: str, machine: str = "target", port: int = 0) -> Process:
    """A misbehaving (or plain) server, see standin.py; listening when this returns."""
    process = net.lab.start(machine, f"standin-{machine}-{mode}", [
        PYTHON, "-B", str(STANDIN), mode, str(net.address(machine)),
        str(port or net.world.port)])
    process.wait_for("listening")
    return process


CONNECT = """
import socket, sys
address, port, timeout, greeting = sys.argv[1:5]
try:
    with socket.create_connection((address, int(port)), float(timeout)) as connection:
        if greeting and connection.recv(len(greeting)) != greeting.encode():
            sys.exit("another greeting")
except OSError as error:
    sys.exit(str(error))
"""


def can_connect(net: Internet, machine: str, address: str, port: int, timeout: float = 2,
                greeting: str = "") -> bool:
    """Does a TCP connection from there succeed (and greet so)? For the lab's own checks only."""
    return net.run(machine, [PYTHON, "-c", CONNECT, address, str(port), str(timeout), greeting],
                   check=False, binds=net.binds).returncode == 0
