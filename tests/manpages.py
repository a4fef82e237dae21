#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/manpages.py SOURCE BUILD: each verb has its page, and the page and --help know the same. Silent where all is well."""

import pathlib
import re
import subprocess
import sys

MAN = pathlib.Path(sys.argv[1]) / "man"
PROGRAM = pathlib.Path(sys.argv[2]) / "cmd/sallyport"
wrong = []


def say(what):
    wrong.append(what)


def run(*words):
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, check=True).stdout


def section(text, name):
    found = re.search(rf"^\.Sh {name}\n(.*?)(?=^\.Sh |\Z)", text, re.S | re.M)
    return found.group(1) if found else ""


def fits(what, text):
    lines = text.splitlines()
    if len(lines) > 24 or any(len(line) > 80 for line in lines):
        say(f"{what}: {len(lines)} lines, {max(map(len, lines))} columns: 24 of 80 are a screen")


def check_verb(verb):
    shown = run(verb, "--help")
    fits(f"sallyport {verb} --help", shown)
    if run("help", verb) != shown:
        say(f"sallyport help {verb} is not sallyport {verb} --help")
    page = MAN / f"sallyport-{verb}.8"
    if not page.exists():
        return say(f"{page.name} is missing")
    text = page.read_text()
    summary = shown.splitlines()[0].split(": ", 1)[1]
    if f".Nm sallyport-{verb}\n.Nd {summary}\n" not in text:
        say(f"{page.name}: NAME is not `sallyport-{verb}', `{summary}'")
    if f"\nmore: man sallyport-{verb}\n" not in shown:
        say(f"sallyport {verb} --help does not point to {page.name}")
    helped = set(re.findall(r"^  (--[a-z-]+)", shown, re.M))
    told = {"--" + name for name in re.findall(r"^\.It Fl Fl ([a-z-]+)", section(text, "OPTIONS"), re.M)}
    if helped != told:
        say(f"{page.name}: OPTIONS and --help differ: {sorted(helped ^ told)}")
    spelt = {"--" + name for name in re.findall(r"Fl Fl ([a-z-]+)", section(text, "SYNOPSIS"))}
    if spelt != helped:
        say(f"{page.name}: SYNOPSIS and --help differ: {sorted(helped ^ spelt)}")
    actions = set(re.findall(rf"^(?:usage:|      ) sallyport {verb} ([a-z]+)", shown, re.M))
    synopsis = section(text, "SYNOPSIS")
    for action in actions:
        if not re.search(rf"\b{action}\b", synopsis):
            say(f"{page.name}: SYNOPSIS lacks {action}")
    if "# sallyport " not in section(text, "EXAMPLES"):
        say(f"{page.name}: no EXAMPLES")
    if f".It Xr sallyport-{verb} 8 Ta \"{summary}\"\n" not in (MAN / "sallyport.8").read_text():
        say(f"sallyport.8: the table lacks {page.name} or has another text")


def check_references(pages):
    """What a page of ours refers to is there, in that section."""
    for page in pages:
        for name, number in re.findall(r"\.Xr (\S*sallyport\S*|chroot-bash) ([1-8])", page.read_text()):
            if not (MAN / f"{name}.{number}").exists():
                say(f"{page.name}: there is no {name}({number})")


topics = run("--help")
fits("sallyport --help", topics)
verbs = " ".join(re.findall(r"^ .{30}(.*)$", topics, re.M)).split()
assert len(verbs) >= 20, verbs
for one in verbs:
    check_verb(one)
pages = sorted(MAN.glob("*.[1-8]"))
check_references(pages)
installed = re.findall(r"^  '(.*)',$", (MAN / "meson.build").read_text(), re.M)
if installed != [page.name for page in pages]:
    say(f"man/meson.build: {sorted(set(installed) ^ {page.name for page in pages})} (or not sorted)")
for page in pages:
    if page.name.startswith("sallyport-") and page.suffix == ".8" and page.stem[10:] not in [*verbs, "helper"]:
        say(f"{page.name}: there is no such verb")
print("\n".join(wrong), end="\n" if wrong else "")
sys.exit(bool(wrong))
