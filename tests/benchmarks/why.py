# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a goal is missed where it cannot be had, or is not yet: reasons that were measured, never results. Shown below the table, for
rows that this very run misses."""

import os

FORKS = "a request that is refused at once - its start-up, of which row 11 speaks, and the child that reads the JSON without any right - takes " \
    "1.6 times the spawn already. The rest is a look at all that it could change: into the home by another child, as the user; at group as a " \
    "whole and through passwd from end to end, since a second line of the same name must be seen."

REASONS = {
    (3, "a current jail"): "each of 6,300 files, directories and links must be looked at, since a file that is written in place changes "
                           "nothing but itself; no fewer can be had. Threads share them: with two processors free a check takes 0.017 to "
                           "0.019 of jk_update, which has one; where others use both it takes more.",
    (4, "a first login"): "the second row is a program that makes the namespaces and the mounts, runs bash, and does nothing else. Beside "
                          "that ours reads its record, looks at each mount point, gives the jail a first process of its own, drops all "
                          "rights, and shuts itself in by seccomp and Landlock: guards that stay.",
    (4, "the same"): "the namespaces and the mounts alone (the second row's peer) take 0.14 to 0.2 of bwrap already; the rest is as above.",
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
                                  "them: 1.7 MB of copies and the page faults of their buffers are most of it. Without any fsync(2) it takes 7% "
                                  "less of the processor, and beside others at work a fifth less time.",
    (10, "asked again"): FORKS,
    (11, "the helper started"): "a static no-op with the helper's guards - capabilities, limits, the filter of system calls - takes 1.13 times the "
                                "bare one, a dynamic program that does nothing 1.25, one with libcjson and libmnl 1.41: Debian has no static ones. "
                                "The rest is the binding of 283 symbols at once (-z now), so that no table of them stays writable, and the pages "
                                "of a program of 0.9 MB. Another order of the libraries and packed relocations were tried: no difference.",
    (12, "a source added to 10,000"): "beside what one to a short list costs, the kernel walks the whole set at each commit: the transaction alone "
                                      "takes 1.1 to 1.8 ms. The rest is a list of 240 KB that is read, compiled before and after, written "
                                      "whole and durably with a copy, read back, and part of the answer.",
    (12, "10,000 sources replaced"): "the transaction alone takes that long: 20,000 ends of intervals go into a tree, and the end of the process "
                                     "waits until those before them are freed. A second set without intervals, for single addresses, would "
                                     "halve that (13 to 20 ms, measured). The other half of ours is the request: 10,000 sources are read, "
                                     "compared and stored, and 20,000 changes answered.",
    (12, "a source added"): "seven tenths of the processor's time are what any request takes: start-up and a child that reads the JSON. The "
                            "rest is a state that is durable, with two fsyncs, and what the kernel has read back; the transaction itself is "
                            "under 0.1 ms.",
    (12, "a source taken away"): "as with one added: nft keeps nothing that is there after a boot, and looks at nothing that it did.",
    (12, "the table rebuilt"): "as with a source added: nft keeps nothing that is there after a boot, and looks at nothing that it did. Of another "
                               "mode it is also asked what listens, and what the firewalls of others do.",
    (12, "nothing to change"): "eight tenths are what any request takes: start-up, of which row 11 speaks, and a child that reads the JSON. "
                               "The rest asks what listens, what sshd is told and the number of the kernel's ruleset.",
    (13, "an ed25519 certificate"): "on the goal: 0.55 to 0.605 in the runs of two days. Seven tenths of it are what any request takes: "
                                    "start-up, of which row 11 speaks, and the child that reads the JSON. The rest is one fdatasync(2) of "
                                    "the record, the signature, and a look at what sshd goes by.",
    (14, "64 callers"): "each request is a process of its own (Accept=yes, a guard), which takes 6 to 7 ms of a processor among 64: two are through "
                        "at 300 a second, were there no lock. But group, gshadow and passwd are changed under lckpwdf(3) in two steps; sampled, "
                        "57 of 64 helpers wait for it: there requests come one after the other. One process that changes the files for many "
                        "callers at once is what 500 would take.",
    (14, "the 99th percentile"): "64 callers wait for two processors and one lock, as above: the time of the last is that of all before him.",
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
    return f"load {load:.1f} on {processors} processors: where several processes take turns (4, 5, 6, 8, 10, 13, 14) or threads share a work (3), " \
        "ratios are worse than on a machine that has nothing else to do"
