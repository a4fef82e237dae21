# SPDX-License-Identifier: GPL-3.0-or-later
"""Which test shows which entry of the lists of attacks and known bugs, read from the sources: what sp.covers says, and
names that begin with an entry (test_jail_17_...).

    python3 tests/lib/covers.py [LIST]      one line an entry: jail 17  test_escape.py::test_name ...

As a module: table() -> {"jail 17": ["test_escape.py::test_name", ...]}.
"""

import ast
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent / "root"


def _items(test):
    """The entries of one function: its name's, and the texts of its sp.covers(...)."""
    named = re.match(r"test_(jail|safety|firewall|speed)_(\d+)_", test.name)
    if named:
        yield f"{named[1]} {int(named[2])}"
    for decorator in test.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "sp.covers":
            yield from (ast.literal_eval(word) for word in decorator.args)


def table(root=ROOT):
    """Every entry that some test claims, with those tests."""
    found = {}
    for path in sorted(root.glob("test_*.py")):
        for test in ast.parse(path.read_text()).body:
            if isinstance(test, ast.FunctionDef):
                for item in dict.fromkeys(_items(test)):
                    found.setdefault(item, []).append(f"{path.name}::{test.name}")
    return found


def order(item):
    """Sorts `jail 9` before `jail 10`, and words after numbers."""
    name, _, which = item.partition(" ")
    return name, (0, int(which), "") if which.isdigit() else (1, 0, which)


def main(wanted=""):
    found = table()
    for item in sorted(found, key=order):
        if item.startswith(wanted):
            print(f"{item}\t{' '.join(found[item])}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
