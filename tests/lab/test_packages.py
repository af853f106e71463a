# SPDX-License-Identifier: MIT
"""deploy/install-packages on a copy of this system (an overlay that is thrown away): real apt, real
dpkg, and a real package with a service that would start and enable itself.
"""
from __future__ import annotations

import hashlib
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from machines import Lab, wait_until

ROOT = Path(__file__).resolve().parents[2]
NAME = "px-lab-daemon"
UNIT = f"[Service]\nExecStart=/bin/sleep 1\n[Install]\nWantedBy=multi-user.target\n"
INIT = f"""#!/bin/sh
### BEGIN INIT INFO
# Provides: {NAME}
# Required-Start:
# Required-Stop:
# Default-Start: 2 3 4 5
# Default-Stop:
### END INIT INFO
[ "$1" != start ] || touch /srv/started
"""
# What debhelper writes for a package with a service; the wait is ours, for the interrupting test.
POSTINST = f"""#!/bin/sh
set -e
touch /srv/in-postinst
while [ -e /srv/hold ]; do sleep 0.02; done
deb-systemd-helper unmask {NAME}.service
deb-systemd-helper --quiet was-enabled {NAME}.service && deb-systemd-helper enable {NAME}.service
update-rc.d {NAME} defaults
invoke-rc.d {NAME} start
touch /srv/configured
"""
APT = """
Dir::Etc::sourcelist "/srv/sources.list";
Dir::Etc::sourceparts "/nonexistent";
APT::Sandbox::User "root";
"""
# $1 = work directory on a tmpfs of its own, $2 = what becomes /srv inside; the rest is run there.
COPY = r"""
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o lowerdir=/,upperdir="$1/upper",workdir="$1/work" "$1/root"
root=$1/root; srv=$2; shift 2
mount --rbind /dev "$root/dev"; mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/run"; mkdir "$root/run/lock"
mount -t tmpfs tmpfs "$root/tmp"
mount --bind "$srv" "$root/srv"
# Nobody booted the copy; without a runlevel no service would start in any case.
rm -f "$root/sbin/runlevel"; printf '#!/bin/sh\necho N 2\n' > "$root/sbin/runlevel"
chmod 755 "$root/sbin/runlevel"
exec chroot "$root" "$@"
"""
STATE = f"""
systemctl list-unit-files --state=enabled --no-legend > /srv/enabled
find /etc/rc2.d -name 'S*{NAME}' > /srv/links
systemctl is-enabled {NAME}.service > /srv/unit || true
dpkg-query -W -f '${{Status}}' {NAME} > /srv/package || true
[ ! -e /usr/sbin/policy-rc.d ] || cat /usr/sbin/policy-rc.d > /srv/policy
ls /usr/sbin/policy-rc.d* > /srv/policies 2>/dev/null || true
exit "${{status:-0}}"
"""


@dataclass
class Copy:
    """A throw-away copy of this system and a folder that it shares with us as /srv."""
    work: Path
    srv: Path

    def start(self, script: str) -> subprocess.Popen:
        argv = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", COPY, "sh",
                str(self.work), str(self.srv), "/bin/bash", "-c", script]
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, start_new_session=True,
                                env={**os.environ, "APT_CONFIG": "/srv/apt.conf",
                                     "TMPDIR": "/tmp"})

    def run(self, script: str) -> str:
        process = self.start(script)
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0, out
        return out

    def said(self, name: str) -> str:
        path = self.srv / name
        return path.read_text().strip() if path.exists() else ""


def build_package(folder: Path) -> None:
    """A .deb with unit and init script, in a repository of one."""
    tree = folder / "tree"
    for path, text, mode in ((f"lib/systemd/system/{NAME}.service", UNIT, 0o644),
                             (f"etc/init.d/{NAME}", INIT, 0o755),
                             ("DEBIAN/postinst", POSTINST, 0o755),
                             ("DEBIAN/control", control(), 0o644)):
        target = tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)
    package = folder / f"{NAME}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", str(tree), str(package)],
                   check=True, capture_output=True)
    data = package.read_bytes()
    (folder / "Packages").write_text(
        f"{control()}Filename: ./{package.name}\nSize: {len(data)}\n"
        f"SHA256: {hashlib.sha256(data).hexdigest()}\n")


def control() -> str:
    return (f"Package: {NAME}\nVersion: 1\nArchitecture: all\nMaintainer: lab <lab@lan.test>\n"
            "Description: a service of the lab\n")


@pytest.fixture
def copy(lab: Lab) -> Copy:
    made = Copy(lab.directory("copy"), lab.directory("srv"))
    build_package(made.srv)
    (made.srv / "lists").mkdir()
    (made.srv / "lists" / "demo").write_text(f"# a comment\n{NAME}  # and another\n")
    (made.srv / "apt.conf").write_text(APT)
    (made.srv / "sources.list").write_text("deb [trusted=yes] file:/srv ./\n")
    script = made.srv / "install-packages"
    script.write_text((ROOT / "deploy" / "install-packages").read_text())
    script.chmod(0o755)
    return made


INSTALL = "/srv/install-packages --lists /srv/lists demo; status=$?\n" + STATE


def enabled_now(copy: Copy) -> str:
    copy.run("systemctl list-unit-files --state=enabled --no-legend > /srv/enabled")
    return copy.said("enabled")


def test_without_the_guard_the_service_would_start(copy: Copy) -> None:
    """The package of this test is as bad as real ones: else the next test would prove nothing."""
    before = enabled_now(copy)
    copy.run(f"apt-get update -q; apt-get install -y -q {NAME}\n" + STATE)
    assert copy.said("package") == "install ok installed"
    assert (copy.srv / "started").exists()
    assert copy.said("enabled") != before and copy.said("unit") == "enabled"


@pytest.mark.parametrize("policy", ["", "#!/bin/sh\nexit 0\n"])
def test_nothing_starts_or_stays_enabled(copy: Copy, policy: str) -> None:
    before = enabled_now(copy)
    prepare = f"cat > /usr/sbin/policy-rc.d <<'END'\n{policy}END\n" if policy else ""
    out = copy.run(prepare + INSTALL)
    assert copy.said("package") == "install ok installed", out
    assert not (copy.srv / "started").exists()
    assert copy.said("enabled") == before and copy.said("unit") == "masked"
    assert copy.said("links") == ""
    assert copy.said("policy") == policy.strip()
    assert copy.said("policies") == ("/usr/sbin/policy-rc.d" if policy else "")


def test_a_second_run_does_nothing(copy: Copy) -> None:
    again = "systemctl unmask px-lab-daemon.service; /srv/install-packages --lists /srv/lists demo"
    copy.run(INSTALL.replace("status=$?", again + "; status=$?"))
    assert copy.said("unit") != "masked"  # who unmasked it meanwhile wants it so


def test_left_over_policy_of_a_killed_run_is_removed(copy: Copy) -> None:
    stale = ("printf '#!/bin/sh\\n# parallax: no service starts while packages are installed\\n"
             "exit 101\\n' > /usr/sbin/policy-rc.d\n")
    copy.run(stale + INSTALL)
    assert copy.said("policies") == "" and not (copy.srv / "started").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_waits_for_dpkg_and_cleans_up(copy: Copy, number: int) -> None:
    before = enabled_now(copy)
    (copy.srv / "hold").touch()
    process = copy.start(INSTALL)
    wait_until(lambda: (copy.srv / "in-postinst").exists(), 60, lambda: "no postinst")
    interrupt_installer(number)
    (copy.srv / "hold").unlink()
    out, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert (copy.srv / "configured").exists(), out
    assert copy.said("package") == "install ok installed"
    assert not (copy.srv / "started").exists() and copy.said("unit") == "masked"
    assert copy.said("enabled") == before and copy.said("policies") == ""


def interrupt_installer(number: int) -> None:
    """Signal the script itself (it runs as bash with this argument), not dpkg under it."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"/srv/install-packages" in words[:2] and not is_child_of_installer(path.parent):
            os.kill(int(path.parent.name), number)


def is_child_of_installer(process: Path) -> bool:
    parent = process.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1]
    words = Path("/proc", parent, "cmdline").read_bytes().split(b"\0")
    return b"/srv/install-packages" in words[:2]
