#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""compare.py: what `ssh-keygen -i` makes of each accepted block of the corpus has the fingerprint that intake gives."""

import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
# ssh-keygen reads blocks that stand plainly alone, and no ed25519 in PEM.
PLAIN = re.compile(r"(rfc4716|pkcs8|pkcs1)-(puttygen-|openssl-)?(ed25519|rsa\d*|nistp\d+|P-\d+)$")
FORMS = {"rfc4716": "RFC4716", "pkcs8": "PKCS8", "pkcs1": "PEM"}
compared, problems = 0, []


def run(*argv, data=None):
    return subprocess.run(argv, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


for line in (HERE / "verdicts").read_text().splitlines():
    name, verdict, fingerprint, *_ = line.split("\t") + ["", ""]
    match = PLAIN.match(name)
    if verdict != "ok" or not match or name == "pkcs8-openssl-ed25519":
        continue
    public = run("ssh-keygen", "-i", "-m", FORMS[match.group(1)], "-f", str(HERE / name))
    theirs = run("ssh-keygen", "-lf", "-", data=public).decode().split()
    if theirs[1:2] != [fingerprint]:
        problems.append(f"{name}: ssh-keygen says {theirs[1:2]}, intake {fingerprint}")
    compared += 1
if compared < 20:
    problems.append(f"only {compared} were compared")
print("\n".join(problems) or f"{compared} blocks: ssh-keygen -i agrees")
sys.exit(bool(problems))
