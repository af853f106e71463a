#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""No literal address, prefix or host name in coordinator/ and probe-node/: a verdict that knows a network by name
would be right in one place only. Loopback, "any" and words of the product are excepted."""
import ipaddress
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
TOKEN = re.compile(r'("(?:[^"\\\n]|\\.)*")|/\*.*?\*/|//[^\n]*', re.S)
V4 = re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d{1,3}){3})(?:/\d{1,2})?(?![\w.])")
V6 = re.compile(r"(?<![\w:])([0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7})(?:/\d{1,3})?(?![\w:])")
NAME = re.compile(r"\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|net|org|io|dev|local|internal|example|lab|test)\b")

# SSH algorithm names carry the domain of who defined them; that is no host.
VENDORS = ("@openssh.com", "@libssh.org")


def suspicious(text: str) -> list[str]:
    found = []
    for pattern in (V4, V6):
        for match in pattern.finditer(text):
            try:
                address = ipaddress.ip_address(match.group(1))
            except ValueError:
                continue
            if not (address.is_loopback or address.is_unspecified):
                found.append(match.group(0))
    found += [m.group(0) for m in NAME.finditer(text) if text[max(0, m.start() - 1):m.end()] not in VENDORS]
    return found


def blank_comments(source: str) -> str:
    """Comments out, strings and line numbers kept; a quote inside a comment opens nothing."""
    return TOKEN.sub(lambda m: m.group(0) if m.group(1) else re.sub(r"[^\n]", " ", m.group(0)), source)


def main() -> int:
    errors, files = [], 0
    for top in ("coordinator", "probe-node"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix not in (".c", ".h", ".def", ".sql"):
                continue
            files += 1
            for number, line in enumerate(blank_comments(path.read_text()).splitlines(), 1):
                for literal in STRING.findall(line):
                    for word in suspicious(literal):
                        errors.append(f"{path.relative_to(ROOT)}:{number}: literal \"{word}\"")
    if suspicious("203.0.113.7") != ["203.0.113.7"] or not suspicious("2001:db8::1") or not suspicious("a.example.net"):
        errors.append("literals.py does not find what it looks for")
    print("\n".join(errors) if errors else f"{files} files, no literal address or name")
    return 1 if errors or files < 10 else 0


if __name__ == "__main__":
    sys.exit(main())
