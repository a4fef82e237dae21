# SPDX-License-Identifier: GPL-3.0-or-later
"""count.py meson LOG | junit XML STATUS: prints "passed failed skipped" of one run of tests."""

import json
import pathlib
import re
import sys
import xml.etree.ElementTree


def meson(path):
    """Each case of a cmocka program counts; a check of the lint suite is one."""
    passed = failed = skipped = 0
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        test = json.loads(line)
        text = (test.get("stdout") or "") + (test.get("stderr") or "")
        cases = [re.findall(rf"^\[ +{word} +\] \w", text, re.M) for word in ("OK", "FAILED", "SKIPPED")]
        good, bad, left = (len(case) for case in cases)
        if test["result"] == "SKIP":
            skipped += 1
        elif test["result"] != "OK":
            passed, failed = passed + good, failed + 1
        elif ":unit / " in test["name"] and good:
            passed, skipped = passed + good, skipped + left
        else:
            passed += 1
    return passed, failed, skipped


def junit(path, status):
    """A file that ended badly without a failed test (a timeout, no host) counts as one failure."""
    passed = failed = skipped = 0
    try:
        for suite in xml.etree.ElementTree.parse(path).getroot().iter("testsuite"):
            bad = int(suite.get("failures")) + int(suite.get("errors"))
            failed += bad
            skipped += int(suite.get("skipped"))
            passed += int(suite.get("tests")) - bad - int(suite.get("skipped"))
    except (xml.etree.ElementTree.ParseError, OSError):
        pass
    return passed, failed or int(status != 0), skipped


if __name__ == "__main__":
    try:
        print(*(meson(sys.argv[2]) if sys.argv[1] == "meson" else junit(sys.argv[2], int(sys.argv[3]))))
    except OSError:
        print(0, 1, 0)
