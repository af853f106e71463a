#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Documents stay true: every path they name exists, every link leads somewhere, and nothing of a developer's machine
or unfinished business stands in the tree."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOPS = ("common", "proto", "probe-node", "coordinator", "cli", "tests", "deploy", "docs")
PATH = re.compile(r"`((?:%s)/[\w./*-]*)`" % "|".join(TOPS))
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX)\b|not yet implemented")


def tracked() -> list[pathlib.Path]:
    """What belongs to the project; without git everything but the build folder."""
    listed = subprocess.run(["git", "-C", str(ROOT), "-c", "safe.directory=*", "ls-files"],
                            capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    return [p for p in ROOT.rglob("*") if p.is_file() and "build" not in p.relative_to(ROOT).parts]


def check_document(path: pathlib.Path) -> list[str]:
    errors = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        where = f"{path.relative_to(ROOT)}:{number}"
        for name in PATH.findall(line):
            if not any(ROOT.glob(name.rstrip("/"))):
                errors.append(f"{where}: there is no {name}")
        for link in LINK.findall(line):
            if not (path.parent / link).exists():
                errors.append(f"{where}: the link {link} leads nowhere")
    return errors


def check_source(path: pathlib.Path) -> list[str]:
    try:
        text = path.read_text()
    except UnicodeDecodeError:
        return []
    return [f"{path.relative_to(ROOT)}:{number}: unfinished: {line.strip()}"
            for number, line in enumerate(text.splitlines(), 1) if UNFINISHED.search(line)]


def main() -> int:
    files = tracked()
    documents = [p for p in files if p.suffix == ".md"]
    errors = [e for p in documents for e in check_document(p)]
    errors += [e for p in files if p.suffix in (".c", ".h", ".py", ".proto", ".md", "") and
               "lint" not in p.parts for e in check_source(p)]
    print("\n".join(errors) if errors else f"{len(documents)} documents name only what exists")
    return 1 if errors or len(documents) < 5 else 0


if __name__ == "__main__":
    sys.exit(main())
