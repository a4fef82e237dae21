# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a goal is missed where it cannot be had, or is not yet: reasons that were measured, never results. Shown below the table, for
rows that this very run misses."""

import os

FORKS = "beside its start-up, of which row 11 speaks, a request forks a child that reads the JSON without any right, and one that works in " \
    "the home as the user; both are guards that stay. passwd and group of 10,000 users are read whole, since a second line of the same " \
    "name must be seen."

REASONS = {
    (3, "a current jail"): "each of 6,300 files, directories and links must be looked at, since a file that is written in place changes "
                           "nothing but itself; 1 us a system call, two thirds of all, and no fewer of them can be had. Threads share them, as "
                           "far as other work leaves a second processor.",
    (7, "all 10000 shells"): "one change alone has a way of its own by now: its line is found, where ten thousand changes look every line up "
                             "in a table, twice. That made the one faster, and so the ratio worse.",
    (9, "500 small files"): "the disk of this run is an image in memory, where an fsync costs 0.1 ms and not a disk's 0.8: there is little "
                            "that a batch could save.",
    (10, "a first full request"): "group, gshadow and passwd are written whole, each with its backup, in two steps with the proof of sshd between "
                                  "them; syncs are 6% of it, copying those files and their page faults most.",
    (10, "asked again"): FORKS,
    (11, "the helper started"): "of 436,000 instructions before main() the dynamic linker spends 270,000 on looking up symbols (callgrind): all are "
                                "bound at once (-z now), so that no table of them stays writable, and Debian has no static libcjson and "
                                "libmnl. A dynamic program that does nothing takes 1.2 times the static one. The filter of system calls, which the "
                                "kernel compiles, is the next.",
    (12, "a source added"): "the goal is that of a bare netlink program (1.03 ms). Ours is a whole request: start-up, a child that reads "
                            "the JSON, the lock, a state that is durable, and what the kernel has read back.",
    (12, "nothing to change"): "the goal leaves less than the start-up of the helper and the child that reads its JSON take together.",
    (14, "64 callers"): "each request is a process of its own (Accept=yes, a guard) and changes group, gshadow and passwd under lckpwdf(3) in two "
                        "steps. Sampled, 57 of 64 helpers wait for that lock: there requests come one after the other. One process "
                        "that changes the files for many callers at once is what it would take.",
    (14, "the 99th percentile"): "64 callers wait for one lock, as above: the time of the last is that of all before him.",
    (14, "asked again"): FORKS,
}


def of(goal, what):
    """The reason whose words the row begins with."""
    found = [text for (number, words), text in REASONS.items() if number == goal and what.strip().startswith(words)]
    return found[0] if found else None


def of_load(load):
    """What a busy machine does to the figures."""
    processors = os.cpu_count() or 1
    if load <= processors:
        return None
    return f"load {load:.1f} on {processors} processors: where several processes take turns (4, 5, 6, 10, 13, 14) or threads share a work (3), " \
        "ratios are worse than on a machine that has nothing else to do"
