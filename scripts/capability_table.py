#!/usr/bin/env python3
"""Composes the table of what each runtime can do, in docs/guides/runtimes.md, from what the conformance tests found.

`scripts/capability_table.py DIR` writes it from the files that a test run left in DIR (ORCHION_WRITE_RESULTS=DIR);
with --check it writes nothing and exits 1 where the guide says anything else.
"""

import os
import pathlib
import sys

GUIDE = pathlib.Path(__file__).resolve().parents[1] / "docs" / "guides" / "runtimes.md"
BEGIN = "<!-- Written by scripts/capability_table.py from the conformance tests' results. -->\n"
END = "<!-- End of what is written. -->\n"
BY_KERNEL = "by kernel"  # some kernels lack it: which one a test met doesn't change the guide
RUNTIMES = ["crun", "runc", "docker", "podman", "containerd", "process"]


def read_results(folder):
    """Runtime → feature → (verdict, why). A runtime without a file isn't installed here."""
    results = {}
    for runtime in RUNTIMES:
        file = folder / f"{runtime}.tsv"
        if file.exists():
            lines = (line.split("\t") for line in file.read_text().splitlines())
            results[runtime] = {feature: (verdict, why) for feature, verdict, why in lines}
    return results


def shown(text):
    """The cells of the table that the guide has: (feature, runtime) → text."""
    rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in text.splitlines() if line.startswith("|")]
    return {(row[0], runtime): cell for row in rows for runtime, cell in zip(rows[0][1:], row[1:])} if rows else {}


def compose(results, before):
    """`before` has the cells that this machine can't tell: of runtimes and kernels that it hasn't."""
    features = []
    for found in results.values():
        features += [feature for feature in found if feature not in features]
    reasons = {}

    def cell(feature, runtime):
        if runtime not in results:
            return before.get((feature, runtime), "?")
        verdict, why = results[runtime].get(feature, ("failed", ""))
        known = before.get((feature, runtime))
        if verdict == "here" or (verdict == "yes" and known == BY_KERNEL):
            return known if known == "yes" else BY_KERNEL
        if verdict == "no":
            reasons.setdefault((feature, why), []).append(runtime)
        return verdict

    lines = ["| | " + " | ".join(RUNTIMES) + " |", "|---|" + "---|" * len(RUNTIMES)]
    for feature in features:
        lines.append(f"| {feature} | " + " | ".join(cell(feature, runtime) for runtime in RUNTIMES) + " |")
    lines.append("")
    for (feature, why), runtimes in reasons.items():
        lines.append(f"- {feature}, {' and '.join(runtimes)}: {why}")
    return "\n".join(lines).rstrip("\n") + "\n"


def main():
    check = "--check" in sys.argv[1:]
    folder = pathlib.Path(next(word for word in sys.argv[1:] if word != "--check"))
    results = read_results(folder)
    missing = [runtime for runtime in RUNTIMES if runtime not in results]
    if not results or (missing and (not check or "ORCHION_CI" in os.environ)):
        print(f"{folder} has no results of {', '.join(missing)}: run all conformance tests, and see which failed")
        return 1
    text = GUIDE.read_text()
    head, _, rest = text.partition(BEGIN)
    old, _, tail = rest.partition(END)
    new = "\n" + compose(results, shown(old)) + "\n"
    if missing:
        # Their reasons aren't known here: the table alone is compared.
        old, new = ([line for line in part.splitlines() if line.startswith("|")] for part in (old, new))
    if old == new:
        return 0
    if check:
        print(f"{GUIDE.name} is not what the tests found: run scripts/capability_table.py {folder}")
        return 1
    GUIDE.write_text(head + BEGIN + new + END + tail)
    return 0


if __name__ == "__main__":
    sys.exit(main())
