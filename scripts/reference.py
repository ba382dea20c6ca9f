#!/usr/bin/env python3
"""Writes the pages that are generated: commands and starters from the binary itself, the routes from the contract.

`scripts/reference.py ORCHION` writes them; with --check it writes nothing and exits 1 where one isn't current.
"""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "reference"
GUIDES = ROOT / "docs" / "guides"
NOTE = "<!-- Written by scripts/reference.py: change the source, then run it. -->\n"

SERVICE = re.compile(r"^service (\w+) \{(.*?)^\}", re.MULTILINE | re.DOTALL)
RPC = re.compile(r"((?:  //[^\n]*\n)*)  rpc (\w+)\((stream )?[\w.]+\) returns \((stream )?[\w.]+\) \{(.*?)\n  \}", re.DOTALL)
REST = re.compile(r'\(rest\) = \{verb: "(\w+)", path: "([^"]+)"')
PERMISSION = re.compile(r'\(permission\) = "([^"]+)"')


def help_of(orchion, path):
    text = subprocess.run([orchion, *path, "--help"], check=True, capture_output=True, text=True).stdout
    return "\n".join(line.rstrip() for line in text.strip("\n").split("\n"))


def subcommands(text):
    """The names below "Subcommands:": each on a line that two spaces begin."""
    _, _, part = text.partition("\nSubcommands:\n")
    return re.findall(r"^  (\S+)", part, re.MULTILINE)


def command_sections(orchion, path=()):
    text = help_of(orchion, path)
    title = " ".join(("orchion", *path))
    # Every command has these two; they are said once.
    shown = text if not path else re.sub(r"^  (-h,--help|--help-all) .*\n?", "", text, flags=re.MULTILINE)
    shown = re.sub(r"\n*Options:\n*(?=\n\n|\Z|\nSubcommands)", "\n", shown).rstrip()
    yield f"## {title}\n\n```text\n{shown}\n```\n"
    for name in subcommands(text):
        yield from command_sections(orchion, (*path, name))


def commands_page(orchion):
    intro = ("# Commands\n\nWhat `orchion COMMAND --help` prints. The options of `orchion` itself are understood "
             "before and after a command's name.\nData goes to standard output, talk to standard error; "
             "[exit codes](exit-codes.md) tell failures apart.\n")
    return "\n".join([NOTE + intro, *command_sections(orchion)])


def kind_of(sends_stream, returns_stream):
    if sends_stream and returns_stream:
        return "WebSocket"
    return "upload" if sends_stream else "events" if returns_stream else ""


def summary_of(comment):
    """The first sentence, without its full stop."""
    return " ".join(re.sub(r"^ *//", "", comment, flags=re.MULTILINE).split()).partition(". ")[0].removesuffix(".")


def routes_page():
    rows = []
    for file in sorted((ROOT / "api" / "v1").glob("*.proto")):
        for service, body in SERVICE.findall(file.read_text()):
            for comment, rpc, sends, returns, options in RPC.findall(body):
                rest = REST.search(options)
                if rest:
                    permission = PERMISSION.search(options)[1]
                    rows.append((rest[2], rest[1], kind_of(sends, returns), f"{service}.{rpc}", permission,
                                 summary_of(comment)))
    lines = [f"| `{verb} {path}` | {summary} | {kind} | `{rpc}` | `{permission}` |"
             for path, verb, kind, rpc, permission, summary in sorted(rows)]
    intro = ("# Routes\n\nEvery rpc that REST serves, from `api/v1`. gRPC has the same by `/orchion.v1.SERVICE/RPC`.\n"
             "[The API's manners](api.md) say how they are used; a server prints the whole as OpenAPI at "
             "`/openapi.json`.\n")
    return "\n".join([NOTE + intro, "| route | what it does | stream | rpc | permission |",
                      "|---|---|---|---|---|", *lines]) + "\n"


def starters_page(orchion):
    """The guide, with its table as the binary lists the starters."""
    listed = subprocess.run([orchion, "init", "--list", "-o", "json"], check=True, capture_output=True, text=True).stdout
    rows = [f"| `{s['name']}` | {s['summary']} | {', '.join(f'`{f}`' for f in s['files'])} |"
            for s in json.loads(listed)["starters"]]
    begin, end = (f"<!-- written by scripts/reference.py: {word} -->\n" for word in ("begin", "end"))
    before, _, rest = (GUIDES / "starters.md").read_text().partition(begin)
    after = rest.partition(end)[2]
    return "\n".join([before + begin, "| starter | what it is | files |", "|---|---|---|", *rows, "", end + after])


def main():
    arguments = [a for a in sys.argv[1:] if a != "--check"]
    if len(arguments) != 1:
        sys.exit("usage: scripts/reference.py ORCHION [--check]")
    stale = []
    for page, text in ((PAGES / "commands.md", commands_page(arguments[0])), (PAGES / "routes.md", routes_page()),
                       (GUIDES / "starters.md", starters_page(arguments[0]))):
        if "--check" not in sys.argv:
            page.write_text(text)
        elif not page.exists() or page.read_text() != text:
            stale.append(f"{page.relative_to(ROOT)} is not current: run scripts/reference.py build/orchion")
    if stale:
        sys.exit("\n".join(stale))


if __name__ == "__main__":
    main()
