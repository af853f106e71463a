#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Sizes of functions and files beside what good C in this field looks like; fails only on the hard limits."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FUNCTION_MAX, FILE_MAX, HEADER_MAX, LINE_MAX = 120, 800, 200, 100
START = re.compile(r"^(?!static const|typedef|struct|enum|union|#|/|\s|\})([A-Za-z_].*\))\s*$")


def functions(lines: list[str]) -> list[tuple[str, int, int, bool]]:
    """(name, first line, length, static) of every function whose opening brace stands in column 0."""
    found = []
    for index, line in enumerate(lines):
        if line.rstrip() != "{" or index == 0:
            continue
        head = index - 1
        while head > 0 and lines[head][:1] in (" ", "\t"):
            head -= 1
        signature = " ".join(part.strip() for part in lines[head:index])
        name = re.search(r"(\w+)\s*\(", signature)
        end = next((i for i in range(index, len(lines)) if lines[i].startswith("}")), None)
        if name and end is not None:
            found.append((name.group(1), head + 1, end - head + 1, signature.startswith("static")))
    return found


def percentile(values: list[int], share: float) -> int:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else 0


def main() -> int:
    errors, sizes, static, files = [], [], 0, []
    for top in ("common", "proto", "probe-node", "coordinator", "cli"):
        for path in sorted((ROOT / top).rglob("*.[ch]")):
            name = path.relative_to(ROOT)
            lines = path.read_text().splitlines()
            if path.suffix == ".c":
                files.append(len(lines))
            limit = FILE_MAX if path.suffix == ".c" else HEADER_MAX
            if len(lines) > limit:
                errors.append(f"{name}: {len(lines)} lines, at most {limit}")
            for number, line in enumerate(lines, 1):
                if len(line) > LINE_MAX:
                    errors.append(f"{name}:{number}: {len(line)} columns, at most {LINE_MAX}")
            for function, first, length, is_static in functions(lines):
                sizes.append(length)
                static += is_static
                if length > FUNCTION_MAX and "size waived:" not in "\n".join(lines[max(0, first - 8):first]):
                    errors.append(f"{name}:{first}: {function} has {length} lines, at most {FUNCTION_MAX}")
    print(f"functions {len(sizes)}: median {percentile(sizes, .5)} p90 {percentile(sizes, .9)} "
          f"p95 {percentile(sizes, .95)} max {max(sizes, default=0)}   (good: 16, 50, 75, 120)")
    print(f"static {100 * static // max(1, len(sizes))} %   (good: 60 %)")
    print(f".c files {len(files)}: median {percentile(files, .5)} max {max(files, default=0)}   (good: 150-300, 800)")
    print("\n".join(errors))
    return 1 if errors or len(sizes) < 100 else 0


if __name__ == "__main__":
    sys.exit(main())
