#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Golden tests of plx: each cases/*.case is one command line with the exact stdout, stderr and exit code of the real
binary. --update writes what it says now; read the difference before committing.

A case: lines "# ...", "env NAME=VALUE" and one "$ plx ...", then sections "--- stdin", "--- config", "--- key"
(prod.key beside it), "--- stdout", "--- stderr", "--- exit N". Commands run in this folder with a HOME of their own, which prints as {HOME};
probabilities print as {P}."""
import argparse
import difflib
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
GIVEN = ("stdin", "config", "key")          # written by people
FOUND = ("stdout", "stderr", "exit")  # written by --update


def read_case(path):
    head, sections, name = [], {}, None
    for line in path.read_text().splitlines(keepends=True):
        match = re.match(r"--- (stdin|config|key|stdout|stderr|exit)(?: (-?\d+))?$", line.rstrip("\n"))
        if match:
            name = match.group(1)
            sections[name] = match.group(2) or ""
        elif name:
            sections[name] += line
        else:
            head.append(line)
    return "".join(head), sections


def write_case(path, head, sections):
    text = head
    for name in GIVEN + FOUND:
        if name == "exit":
            text += f"--- exit {sections[name]}\n"
        elif name in sections and (sections[name] or name in GIVEN):
            body = sections[name]
            text += f"--- {name}\n{body}" + ("" if body.endswith("\n") or not body else "\n")
    path.write_text(text)


def run_case(binary, version, head, sections):
    command = re.search(r"^\$ plx ?(.*)$", head, re.M).group(1)
    with tempfile.TemporaryDirectory() as home:
        env = {"PATH": "/usr/bin:/bin", "HOME": home, "LANG": "C.UTF-8", "TZ": "UTC",
               "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "")}
        for name, value in re.findall(r"^env (\w+)=(.*)$", head, re.M):
            env[name] = value.replace("{HOME}", home)
        for section, name in (("config", "config.yml"), ("key", "prod.key")):
            if section in sections:
                path = pathlib.Path(home, ".config/parallax", name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(sections[section])
                path.chmod(int(re.search(r"^mode (\d+)", head + "mode 600", re.M).group(1), 8))
        done = subprocess.run([str(binary)] + shlex.split(command.replace("{HOME}", home)), cwd=HERE, env=env,
                              input=sections.get("stdin", "").encode(), capture_output=True, timeout=60)
        found = {"exit": str(done.returncode)}
        for name, raw in (("stdout", done.stdout), ("stderr", done.stderr)):
            text = raw.decode("utf-8", "backslashreplace").replace(home, "{HOME}").replace(version, "{VERSION}")
            text = re.sub(r'(probability": ?)[0-9.e-]+', r"\1{P}", text)  # tuned with the likelihoods
            found[name] = text if not text or text.endswith("\n") else text + "\n"
        return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True, type=pathlib.Path, help="folder of the plx to test")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("-k", default="", help="only cases whose name contains this")
    options = parser.parse_args()
    version = re.search(r"project\(parallax VERSION ([\d.]+)", (HERE.parents[1] / "CMakeLists.txt").read_text()).group(1)
    binary = (options.bin / "plx").resolve()
    cases = sorted(p for p in (HERE / "cases").glob("*.case") if options.k in p.stem)
    failed = changed = 0
    for path in cases:
        head, sections = read_case(path)
        found = run_case(binary, version, head, sections)
        wanted = {name: sections.get(name, "") for name in FOUND}
        crashed = int(found["exit"]) < 0 or "AddressSanitizer" in found["stderr"] or "runtime error" in found["stderr"]
        if found == wanted and not crashed:
            continue
        if options.update and not crashed:
            write_case(path, head, {**sections, **found})
            changed += 1
            continue
        failed += 1
        print(f"FAILED {path.name}" + (" (crashed)" if crashed else ""))
        for name in FOUND:
            diff = difflib.unified_diff(wanted[name].splitlines(), found[name].splitlines(), f"wanted {name}",
                                        f"found {name}", lineterm="", n=1)
            print("\n".join(diff))
    print(f"{len(cases)} cases, {failed} failed" + (f", {changed} rewritten" if options.update else ""))
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
