# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/drift: the table of sp_drift.py among many accounts. Works only inside tests/host."""

import argparse
import json
import sys
import time

import sp
import sp_drift


def timed(what, work):
    start = time.monotonic()
    result = work()
    print(f"{what}: {time.monotonic() - start:.1f} s", flush=True)
    return result


def reconcile():
    return json.loads(sp.run(["sallyport", "reconcile", "--json"], timeout=3600).stdout)


def main():
    words = argparse.ArgumentParser()
    words.add_argument("--accounts", type=int, default=10000)
    words.add_argument("--each", type=int, default=3)
    args = words.parse_args()
    kinds = sp_drift.usable()
    sites = sp_drift.numbered(args.accounts, kinds, args.each)
    server = sp.Host()
    server.start()
    sp_drift.make_host()
    timed(f"{len(sites)} accounts, by requests", lambda: sp_drift.make(sites))
    sp_drift.host_wide(sites)
    sp_drift.suspend(sites)
    for what in ("the first reconcile", "a clean reconcile"):
        report = timed(what, reconcile)
        assert report["details"] == [] and report["accounts"] == len(sites), report["details"][:5]
    wrong, report = sp_drift.run(lambda: timed(f"{len(kinds)} kinds of drift, {args.each} of each, reconciled", reconcile), sites,
                                 sp_drift.choose(sites, kinds, args.each), print)
    print(", ".join(f"{report[name]} {name}" for name in ("accounts", "mended", "kept", "failed")))
    for line in wrong:
        print(f"WRONG: {line}")
    print(f"{len(kinds)} kinds, {len(kinds) * args.each} accounts of {len(sites)}: {'each as it should be, the rest untouched' if not wrong else 'not as it should be'}")
    server.stop()
    sys.exit(bool(wrong))


main()
