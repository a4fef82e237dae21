#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/sizes.py SOURCE: fails on a function over 100 lines, a file over 500, or a house of long functions."""

import pathlib
import subprocess
import sys

FUNCTION, FILE, P90 = 100, 500, 60


def functions(files):
    """(lines, name, file) of every function, as ctags sees them."""
    listing = subprocess.run(["ctags", "-x", "--kinds-C=f", "--language-force=C", "--fields=+e",
                              "--_xformat=%{line} %{end} %N %F", *map(str, files)],
                             check=True, capture_output=True, text=True).stdout
    for line in listing.splitlines():
        start, end, name, file = line.split(None, 3)
        if end.isdigit():
            yield int(end) - int(start) + 1, name, file


def main():
    source = pathlib.Path(sys.argv[1])
    files = [file for folder in ("cmd", "lib", "shells", "tests") for file in sorted((source / folder).rglob("*.[ch]"))]
    problems = []
    for file in files:
        lines = len(file.read_text().splitlines())
        if lines > FILE:
            problems.append(f"{file.relative_to(source)}: {lines} lines, {FILE} are allowed")
    found = sorted(functions(files))
    for lines, name, file in found:
        if lines > FUNCTION:
            problems.append(f"{pathlib.Path(file).relative_to(source)}: {name}: {lines} lines, {FUNCTION} are allowed")
    ours = [lines for lines, _, file in found if not file.startswith(str(source / "tests"))]
    median, p90 = (ours[int(len(ours) * part)] for part in (0.5, 0.9))
    if p90 > P90:
        problems.append(f"one function in ten has {p90} lines or more, {P90} are allowed")
    print("\n".join(problems) or f"sizes: {len(files)} files, {len(ours)} functions, median {median}, p90 {p90}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
