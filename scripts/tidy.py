#!/usr/bin/env python3
"""What the compiler doesn't check: who includes whom, dead headers, leftovers, folders without a README.

Reads the tracked files, prints one line for each thing that is wrong, exits 1 where there is any.
"""

import pathlib
import re
import subprocess
import sys

LINES_MAX = 800

# A library's headers stay with the folder that wraps it.
OWNED_HEADERS = {
    "sqlite3.h": ["src/control/store/sqlite"],
    "boost/beast": ["src/wire"],
    "grpcpp/": ["src/wire/grpc"],
    "yaml-cpp/": ["src/spec", "src/node/devices/cdi", "src/node/devices/gpus", "src/node/probes"],
    "CLI/": ["src/cli"],
    "ldns/": ["src/mesh/dns"],
    "nftables/": ["src/node/networks"],
    "netlink/": ["src/node/networks"],
    "archive.h": ["src/cli", "src/node/images", "src/tar"],
    "seccomp.h": ["src/node/runtimes/bundle"],
}
BEAST_FILES_MAX = 5

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')
LEFTOVER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def tracked(*patterns):
    out = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns],
                         check=True, capture_output=True, text=True).stdout
    return [pathlib.Path(p) for p in out.split("\0") if p and pathlib.Path(p).exists()]


def read_layers():
    layers = {}
    for line in pathlib.Path("scripts/layers.txt").read_text().splitlines():
        line = line.split("#")[0].strip()
        if line:
            folder, _, allowed = line.partition(":")
            layers[folder.strip()] = allowed.split()
    return layers


def folder_of(path, layers):
    """The layer a path below src/ belongs to: the longest folder that the table names."""
    parts = path.parent.parts
    for n in range(len(parts), 0, -1):
        if "/".join(parts[:n]) in layers:
            return "/".join(parts[:n])
    return None


def check_includes(files, layers):
    included = set()
    beast = set()
    for path in files:
        inside = path.parts[0] == "src"
        mine = folder_of(path.relative_to("src"), layers) if inside else None
        if inside and mine is None and path.parent != pathlib.Path("src"):
            yield f"{path}: its folder is not in scripts/layers.txt"
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            target = match[2]
            included.add(target)
            if inside:
                if target.startswith("boost/beast"):
                    beast.add(path)
                for header, homes in OWNED_HEADERS.items():
                    if target.startswith(header) and str(path.parent) not in homes:
                        yield f"{path}:{number}: {target} belongs to {' and '.join(homes)} alone"
            if mine is None or match[1] == "<":
                continue
            theirs = "api" if target.startswith(("v1/", "grpc/", "google/rpc/")) else folder_of(pathlib.Path(target), layers)
            allowed = layers[mine]
            if theirs is None:
                yield f"{path}:{number}: {target} is in no known folder"
            elif theirs != mine and theirs not in allowed and "*" not in allowed:
                yield f"{path}:{number}: {mine} may not include {theirs} ({target})"
    if len(beast) > BEAST_FILES_MAX:
        yield f"boost/beast is included by {len(beast)} files, {BEAST_FILES_MAX} at most: {sorted(map(str, beast))}"
    for path in files:
        if path.suffix == ".h" and path.parts[0] == "src" and str(path.relative_to("src")) not in included:
            yield f"{path}: nobody includes it"


def check_text(files):
    for path in files:
        lines = path.read_text(errors="replace").splitlines()
        if len(lines) > LINES_MAX and path.suffix in (".cc", ".h", ".py"):
            yield f"{path}: {len(lines)} lines, {LINES_MAX} at most: split it by idea"
        if path.name == "tidy.py":
            continue
        for number, line in enumerate(lines, 1):
            if LEFTOVER.search(line):
                yield f"{path}:{number}: a leftover: {line.strip()}"
            if line != line.rstrip() and path.suffix != ".md":
                yield f"{path}:{number}: white space at the end"


def check_readmes(files):
    for folder in sorted({p.parent for p in files if p.parts[0] == "src" and len(p.parts) > 2}):
        if not (folder / "README.md").exists():
            yield f"{folder}: it has no README.md"


def check_tests(files):
    """A test that was switched off reads as one that passed."""
    for path in files:
        if path.name.endswith("_test.cc"):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if "DISABLED_" in line:
                    yield f"{path}:{number}: a test that never runs"


def main():
    code = tracked("*.cc", "*.h")
    text = tracked("*.cc", "*.h", "*.proto", "*.py", "*.cmake", "dev", "*.sh", "*.txt", "*.yaml", "*.json")
    layers = read_layers()
    problems = [*check_includes(code, layers), *check_text(text), *check_readmes(code), *check_tests(code)]
    for problem in problems:
        print(problem)
    print(f"tidy: {len(code)} files of code, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
