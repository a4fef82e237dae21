# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a goal is missed where it cannot be had, or is not yet: reasons that were measured, never results. Shown below the table, for
rows that this very run misses."""

import os

FORKS = "beside its start-up, of which row 11 speaks, a request forks a child that reads the JSON without any right, and one that works in " \
    "the home as the user; both are guards that stay. passwd and group of 10,000 users are read whole, since a second line of the same " \
    "name must be seen."

REASONS = {
    (3, "a current jail"): "each of 6,300 files, directories and links must be looked at, since a file that is written in place changes "
                           "nothing but itself; no fewer can be had. Threads share them: with two processors free a check takes 0.017 to "
                           "0.019 of jk_update, which has one; where others use both it takes more.",
    (4, "a first login"): "the second row is a program that makes the namespaces and the mounts, runs bash, and does nothing else. Beside "
                          "that ours reads its record, looks at each mount point, gives the jail a first process of its own, drops all "
                          "rights, and shuts itself in by seccomp and Landlock: guards that stay.",
    (4, "the same"): "what the namespaces and the mounts take alone (the second row) is more than 0.15 of bwrap already; the rest is as above.",
    (4, "a login that joins"): "on the goal: 1.6 to 1.9 in the runs of two days. It makes no namespace and no mount: what is left is a "
                               "second program's start and the guards above.",
    (5, "the same"): "plain bash, the first row's peer, takes more than 0.5 of this one: no shell could be at 0.4.",
    (6, "a login over ssh"): "without any of sallyport's policy the same login takes 1.09 to 1.14 of it on a host of that size: sshd and glibc "
                             "read all of passwd and group nine times. The third row is what the policy adds.",
    (7, "all 10000 shells"): "one change alone has a way of its own: its line is found, where ten thousand changes take every line apart and look "
                             "it up in a table. In one run they were 2.0 apart.",
    (9, "500 small files"): "the disk of this run is an image in memory, where an fsync costs 0.1 ms and not a disk's 0.8: there is little "
                            "that a batch could save.",
    (10, "a first full request"): "group, gshadow and passwd are written whole, each with its backup, in two steps with the proof of sshd between "
                                  "them; syncs are 6% of it, copying those files and their page faults most.",
    (10, "asked again"): FORKS,
    (11, "the helper started"): "of 436,000 instructions before main() the dynamic linker spends 270,000 on looking up symbols (callgrind): all are "
                                "bound at once (-z now), so that no table of them stays writable, and Debian has no static libcjson and "
                                "libmnl. A dynamic program that does nothing takes 1.2 times the static one. The filter of system calls, which the "
                                "kernel compiles, is the next. Another order of the libraries and packed relocations were tried: no difference.",
    (12, "a source added to 10,000"): "beside what one to a short list costs, the kernel walks the whole set at each commit: the transaction alone "
                                      "takes 1.1 to 1.3 ms. The rest is a list of 240 KB that is read, compiled before and after, written "
                                      "whole and durably with a copy, read back, and part of the answer.",
    (12, "10,000 sources replaced"): "the transaction alone takes that long: 20,000 ends of intervals go into a tree, and the end of the process "
                                     "waits until those before them are freed. A second set without intervals, for single addresses, would "
                                     "halve that (13 to 20 ms, measured). The other half of ours is the request: 10,000 sources are read, "
                                     "compared and stored, and 20,000 changes answered.",
    (12, "a source added"): "three quarters are what any request takes: start-up and a child that reads the JSON. The rest is a state that is "
                            "durable, with two fsyncs, and what the kernel has read back; the transaction itself is under 0.1 ms.",
    (12, "nothing to change"): "nine tenths are what any request takes: start-up, of which row 11 speaks, and a child that reads the JSON. "
                               "The rest asks what listens, what sshd is told and the number of the kernel's ruleset.",
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
