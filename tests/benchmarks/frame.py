# SPDX-License-Identifier: GPL-3.0-or-later
"""What every goal of tests/bench is measured with: commands in turns, accounts, requests, rows of the table."""

import base64
import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import struct
import sys
import time

import sp
import why

HERE = pathlib.Path(__file__).parent
PROFILES = HERE.parent.parent / "templates/profiles"
STORE = pathlib.Path("/var/lib/sallyport")
TOOLS = pathlib.Path(os.environ["SALLYPORT_BUILD"]) / "tests"
WORK = pathlib.Path("/srv/bench")
SITES = pathlib.Path("/var/www/vhosts")
USERS = 10000
FIRST_UID = 20000


@dataclasses.dataclass
class Row:
    """One figure. `limit` is what its ratio to the peer's may be at most; where `bound` is "most" or "least", the figure itself."""
    goal: int
    what: str
    peer_name: str
    peer: float
    ours: float
    limit: float
    unit: str = "ms"
    bound: str = "ratio"

    @property
    def ratio(self):
        return self.ours / self.peer if self.peer else None

    @property
    def met(self):
        if self.bound == "least":
            return self.ours >= self.limit
        return (self.ratio if self.bound == "ratio" else self.ours) <= self.limit

    @property
    def why(self):
        """Why it is missed, where that is known and no fault to be mended."""
        return None if self.met else why.of(self.goal, self.what)

    @property
    def bounds(self):
        unit = "x" if self.bound == "ratio" else f" {self.unit}"
        return f"{'>=' if self.bound == 'least' else '<='} {self.limit:.4g}{unit}"

    def as_json(self):
        return {"row": self.goal, "what": self.what.strip(), "peer": {"name": self.peer_name, "measured": self.peer} if self.peer else None,
                "measured": self.ours, "unit": self.unit, "ratio": self.ratio, "goal": self.bounds, "met": self.met, "why": self.why}


@dataclasses.dataclass
class Command:
    """One command of a comparison; run in every `every`-th round."""
    name: str
    argv: list
    stdin: str = "-"
    uid: int = 0
    every: int = 1

    def line(self):
        return "\t".join([self.name, str(self.every), str(self.uid), str(self.uid), self.stdin, *map(str, self.argv)])


def compare(rounds, commands, first=0, warm_up=0.1):
    """The median of each command in ms. The first tenth of the runs, and at least one, warms up and is not counted."""
    lines = "".join(command.line() + "\n" for command in commands)
    out = sp.run([TOOLS / "bench-measure", rounds, first], input=lines, timeout=900, check=True).stdout
    result = {}
    for line in out.splitlines():
        name, *values = line.split("\t")
        values = [float(value) for value in values]
        result[name] = statistics.median(values[max(1, int(len(values) * warm_up)):] or values)
    return result


# The host: accounts, keys, requests

def a_public_key(number):
    """An ed25519 key as text: any 32 bytes are one, to everything that does not log in with it."""
    raw = struct.pack(">Q", number) + os.urandom(24)
    blob = b"".join(struct.pack(">I", len(part)) + part for part in (b"ssh-ed25519", raw))
    return f"ssh-ed25519 {base64.b64encode(blob).decode()} key-{number}"


def account(number):
    return f"u{number:05d}"


def add_users(first, count):
    """Written straight into the files: useradd needs seconds for each at this size."""
    lines = {"passwd": "{0}:x:{1}:{1}::/var/www/vhosts/{0}:/bin/false\n", "shadow": "{0}:!:19000:0:99999:7:::\n",
             "group": "{0}:x:{1}:\n", "gshadow": "{0}:!::\n"}
    for name, line in lines.items():
        with open(f"/etc/{name}", "a", encoding="ascii") as file:
            file.writelines(line.format(account(n), FIRST_UID + n) for n in range(first, first + count))
        with open(f"/etc/{name}", "rb+") as file:
            os.fsync(file.fileno())


def make_site(number):
    path = SITES / account(number)
    path.mkdir(parents=True)
    path.chmod(0o750)
    os.chown(path, FIRST_UID + number, FIRST_UID + number)


def request_file(path, method, params, request_id="12"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}))
    return path


def make_request(number, folder, **params):
    """The file WORK/folder/NUMBER with a domain.apply for that account."""
    body = {"domain": f"{account(number)}.example", "user": account(number), "document_root": str(SITES / account(number)),
            **params}
    return request_file(WORK / folder / f"{number:05d}", "domain.apply", body, str(number))


def apply(number, **params):
    answer = json.loads(sp.run([sp.HELPER], input=make_request(number, "once", **params).read_text(), check=True).stdout)
    assert "result" in answer, answer
    return answer["result"]


def size_of(*paths):
    """(bytes on disk, inodes) of trees, each inode once."""
    seen = {}
    for top in paths:
        for path in [pathlib.Path(top), *pathlib.Path(top).rglob("*")]:
            info = path.lstat()
            seen[(info.st_dev, info.st_ino)] = info.st_blocks * 512
    return sum(seen.values()), len(seen)


def have(*programs):
    missing = [name for name in programs if not shutil.which(name)]
    if missing:
        print(f"tests/bench: {' '.join(missing)} not installed: their rows are left out", file=sys.stderr)
    return not missing


def timed(*argv):
    start = time.monotonic()
    sp.run(argv, check=True, timeout=300)
    return (time.monotonic() - start) * 1000
