#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Who may include whom, and which foreign headers stay behind which wall (docs/architecture.md)."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# module -> modules it may include besides itself
MAY_INCLUDE = {
    "common": set(),
    "proto": {"common"},
    "probe-node/probes": {"common"},
    "probe-node": {"common", "proto", "probe-node/probes"},
    "coordinator/diagnose": {"common"},
    "coordinator/store": {"common"},
    "coordinator": {"common", "proto", "coordinator/diagnose", "coordinator/store"},
    "cli": {"common", "proto", "probe-node/probes", "coordinator/diagnose"},
}
# single headers a module may use although their module is closed to it
ALSO = {
    "cli": {
        "probe-node/prober.h",
        "probe-node/budget.h",
        "coordinator/plan.h",
        "coordinator/run.h",
    },
}
# files that run under another module's contract: the rounds and the prober are used by plx, too
PURE_OF_WIRE = {
    "coordinator/plan.c", "coordinator/plan.h", "coordinator/run.c", "coordinator/run.h",
    "probe-node/prober.c", "probe-node/prober.h", "probe-node/budget.c", "probe-node/budget.h",
}
# foreign header -> the only files that may include it
WALLS = [
    (r"^(zmq)\.h$", r"^proto/link[a-z_]*\.[ch]$"),
    (r"\.pb-c\.h$|^protobuf-c/", r"^proto/wire[a-z_]*\.[ch]$"),
    (r"^libssh/", r"^probe-node/probes/ssh[a-z_]*\.[ch]$"),
    (r"^sqlite3\.h$", r"^coordinator/store/store_sqlite[a-z_]*\.c$"),
    (r"^jansson\.h$", r"^(common/report_json|cli/out|cli/cmd|coordinator/api/)[a-z_/]*\.[ch]$"),
    (r"^yaml\.h$", r"^common/conf[a-z_]*\.c$"),
]


def module_of(path: str) -> str | None:
    """The deepest module that holds the file, None outside of the product's code."""
    best = None
    for module in MAY_INCLUDE:
        if path.startswith(module + "/") and (best is None or len(module) > len(best)):
            best = module
    return best


def sources() -> list[pathlib.Path]:
    found = []
    for top in ("common", "proto", "probe-node", "coordinator", "cli"):
        found += sorted((ROOT / top).rglob("*.[ch]"))
    return found


def check_file(path: pathlib.Path, graph: dict[str, set[str]]) -> list[str]:
    name = str(path.relative_to(ROOT))
    module = module_of(name)
    errors = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line)
        if not match:
            continue
        quote, header = match.groups()
        where = f"{name}:{number}"
        for pattern, allowed in WALLS:
            if re.search(pattern, header) and not re.match(allowed, name):
                errors.append(f"{where}: <{header}> belongs behind a wall: {allowed}")
        if quote == "<" or header.endswith(".pb-c.h"):
            continue
        if not (ROOT / header).exists():
            errors.append(f"{where}: \"{header}\" is not a path from the root")
            continue
        graph.setdefault(name, set()).add(header)
        other = module_of(header)
        if other is None or other == module:
            if module == "probe-node/probes" and is_sibling(name, header):
                errors.append(f"{where}: a probe includes its sibling {header}")
            continue
        if name in PURE_OF_WIRE and other == "proto":
            errors.append(f"{where}: {name} is used without a mesh and may not include {header}")
        if other not in MAY_INCLUDE[module] and header not in ALSO.get(module, set()):
            errors.append(f"{where}: {module} may not include {header}")
    return errors


def is_sibling(name: str, header: str) -> bool:
    """Probes share probe.h and net.h only; files of one family (ssh, ssh_kex) may see each other."""
    family = pathlib.Path(name).stem.split("_")[0]
    other = pathlib.Path(header).stem.split("_")[0]
    return other not in ("probe", "net", family) and family not in ("registry",)


def find_cycle(graph: dict[str, set[str]]) -> list[str] | None:
    done: set[str] = set()
    for start in graph:
        stack = [(start, iter(graph.get(start, ())))]
        path = [start]
        while stack:
            node, children = stack[-1]
            for child in children:
                if child in path:
                    return path[path.index(child):] + [child]
                if child not in done:
                    stack.append((child, iter(graph.get(child, ()))))
                    path.append(child)
                    break
            else:
                done.add(node)
                stack.pop()
                path.pop()
    return None


def main() -> int:
    graph: dict[str, set[str]] = {}
    files = sources()
    errors = [error for path in files for error in check_file(path, graph)]
    cycle = find_cycle(graph)
    if cycle:
        errors.append("cycle: " + " -> ".join(cycle))
    if len(files) < 20:
        errors.append(f"only {len(files)} source files found: is this the right folder?")
    print("\n".join(errors) if errors else f"{len(files)} files, no violation, no cycle")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
