# SPDX-License-Identifier: GPL-3.0-or-later
"""Goes on only inside tests/host. The environment alone proves nothing: root file system and namespaces are asked."""

import os
import stat
import sys

MARKER = "/run/sallyport-throwaway"


def why_not():
    """The reason why this is no throwaway host, or None."""
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        roots = [line for line in table if line.split()[4] == "/"]
    if not roots or " - overlay sallyport-throwaway " not in roots[-1]:
        return "/ is not the throwaway overlay"
    try:
        info = os.lstat(MARKER)
        with open(MARKER, encoding="ascii") as marker:
            forbidden = marker.read().split()
    except OSError as error:
        return str(error)
    if info.st_uid != 0 or not stat.S_ISREG(info.st_mode) or len(forbidden) < 5:
        return f"{MARKER} is not what tests/host writes"
    for name in ("mnt", "net", "pid"):
        if os.readlink(f"/proc/self/ns/{name}") in forbidden:
            return f"not in a {name} namespace of its own"
    return None


def require_throwaway():
    reason = why_not()
    if reason:
        print(f"this changes the machine it runs on and runs only inside tests/host: {reason}", file=sys.stderr)
        sys.stderr.flush()
        os._exit(125)
