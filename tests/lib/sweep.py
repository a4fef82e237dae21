# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/crash/sweep's work: each operation in a host of its own, some at a time, a bar meanwhile and a table at the end."""

import concurrent.futures
import os
import re
import subprocess
import sys
import threading
import time

FILES = {"kills": "test_crash.py", "terms": "test_crash.py", "twice": "test_crash.py", "faults": "test_crash_faults.py",
         "memory": "test_crash_memory.py", "power": "test_power.py"}
ROW = re.compile(r".{44} \S+ +\d+( +\d+){5}$")


class Bar:
    """One line on the terminal: what is at work, and how far all is."""

    def __init__(self, of):
        self.of, self.done, self.now, self.lock, self.start = of, 0, {}, threading.Lock(), time.monotonic()

    def tell(self, job, text=None):
        with self.lock:
            self.now[job] = text
            if text is None:
                del self.now[job]
                self.done += 1
            if sys.stderr.isatty():
                work = "; ".join(one for one in self.now.values())
                filled = "#" * (30 * self.done // self.of)
                print(f"\r[{filled:30}] {self.done}/{self.of} {(time.monotonic() - self.start) / 60:.0f} min {work}"[:160] + "\033[K",
                      end="", file=sys.stderr, flush=True)

    @staticmethod
    def report(lines):
        """Into a log what is known so far, as soon as it is known."""
        if not sys.stderr.isatty():
            print("\n".join(lines), file=sys.stderr, flush=True)


def tests(way, pattern):
    """The names of the operations' tests, without running any."""
    listed = subprocess.run(["tests/host", "/usr/bin/python3", "-m", "pytest", "-q", "--collect-only", "-k", pattern or "test",
                             f"tests/root/{FILES[way]}"], stdout=subprocess.PIPE, text=True, check=False)
    if listed.returncode not in (0, 5):
        sys.exit(f"{FILES[way]} cannot be read:\n{listed.stdout}")
    return [line.split("::")[-1] for line in listed.stdout.splitlines() if "::" in line]


def sweep(way, test, bar):
    """One operation, one way: (the rows of the table, what pytest said where it failed)."""
    env = {**os.environ, "SALLYPORT_NO_BUILD": "1", "SALLYPORT_SWEEP_WAY": way}
    argv = ["tests/host", "/usr/bin/python3", "-m", "pytest", "-q", "--tb=short", "--capture=sys", f"tests/root/{FILES[way]}::{test}"]
    said = []
    with subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace") as run:
        for line in run.stdout:
            if line.startswith("@"):
                bar.tell((way, test), line[1:].strip())
            else:
                said.append(line.rstrip("\n"))
    bar.tell((way, test), "")
    bar.tell((way, test))
    rows, failed = [line for line in said if ROW.match(line)], [] if run.returncode == 0 else said
    bar.report(rows + failed)
    return rows, failed


def main():
    jobs, pattern, ways = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    begin = time.monotonic()
    # Whoever comes first has it built.
    work = [(way, test) for way in ways for test in tests(way, pattern)]
    if not work:
        sys.exit(f"no operation matches {pattern}")
    bar, rows, failed = Bar(len(work)), [], []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for some, words in pool.map(lambda one: sweep(*one, bar), work):
            rows += some
            failed += words
    print("\r\033[K" if sys.stderr.isatty() else "", end="", file=sys.stderr)
    print("\n".join(failed + [""] if failed else []))
    print(f"{'operation':44} {'fault':8} {'tried':>6} {'old':>8} {'between':>8} {'new':>8} {'broken':>8} {'unmet':>8}")
    print("\n".join(sorted(rows)))
    every = int(os.environ.get("SALLYPORT_SWEEP_EVERY", "1"))
    print(f"{len(rows)} rows, {sum(int(row[53:60]) for row in rows)} points{f' (one in {every})' if every > 1 else ''},"
          f" {sum(int(row[-8:]) for row in rows)} of them unmet, {'BROKEN' if failed else 'none broken'},"
          f" {(time.monotonic() - begin) / 60:.0f} min")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
