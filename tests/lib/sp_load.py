# SPDX-License-Identifier: GPL-3.0-or-later
"""Many callers at once, by the socket and by sudo, beside other tools that edit the same files; and what must hold after it.

    tests/load [SECONDS] [CALLERS]     tests/host python3 tests/lib/sp_load.py ...
"""

import collections
import crypt
import dataclasses
import json
import os
import pathlib
import random
import subprocess
import sys
import threading
import time

import sp
import sp_socket

KEYS = ("one", "two", "three")
LARGEST_KIB = 64 << 10  # what one helper may take
OFFICE = "192.0.2.0/24"


@dataclasses.dataclass
class Report:
    seconds: float
    latencies: dict  # method: [seconds]
    errors: collections.Counter  # (method, reason)
    wrong: list  # what must not be
    beside: collections.Counter
    memory: tuple  # KiB: the largest helper, all together

    @property
    def rate(self):
        return sum(map(len, self.latencies.values())) / self.seconds

    def quantile(self, share, method=None):
        values = sorted(value for name, many in self.latencies.items() if method in (None, name) for value in many)
        return values[min(len(values) - 1, int(share * len(values)))] * 1000 if values else 0.0

    def table(self):
        rows = [f"{'method':16}{'requests':>9}{'p50':>9}{'p90':>9}{'p99':>9}{'max':>9}  ms"]
        for name in [*sorted(self.latencies), None]:
            count = len(self.latencies[name]) if name else sum(map(len, self.latencies.values()))
            rows.append(f"{name or 'all':16}{count:9}" + "".join(f"{self.quantile(share, name):9.1f}" for share in (0.5, 0.9, 0.99, 1)))
        rows.append(f"{self.rate:.0f} requests a second; largest helper {self.memory[0]} KiB, all together at most {self.memory[1] >> 10} MiB")
        rows += [f"{count} x {method}: {reason}" for (method, reason), count in self.errors.items()]
        rows += [f"beside: {count} x {what}" for what, count in self.beside.items()]
        return "\n".join(rows + [f"WRONG: {what}" for what in self.wrong])


class Caller:
    """One panel with a domain of its own. It knows what it was promised."""

    def __init__(self, load, number):
        self.load, self.random = load, random.Random(number)
        self.by_sudo = number % 4 == 3
        self.user = sp.make_user()
        self.shell, self.keys, self.generation = "bash", {"one"}, 0
        self.there, self.suspended, self.password = True, False, None
        self.source, self.listed = f"198.51.100.{number}", False  # of his in the one list of the firewall

    def ask(self, method, params):
        request = json.dumps({"jsonrpc": "2.0", "id": self.user.name, "method": method, "params": params})
        start = time.monotonic()
        if self.by_sudo:
            raw = subprocess.run(["setpriv", "--reuid=panel", "--regid=panel", "--clear-groups", "sudo", "-n", sp.HELPER],
                                 input=request.encode(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120, check=False).stdout
        else:
            raw = sp_socket.ask(request.encode(), timeout=120)
        took = time.monotonic() - start
        try:
            body = json.loads(raw)
        except ValueError:
            self.load.failed(method, "no answer", f"{self.user.name}: {raw[:200]!r}")
            return None
        self.load.latencies[method].append(took)
        if "error" in body:
            reason = body["error"]["data"]["reason"]
            self.load.failed(method, reason, None if reason == "busy" else f"{self.user.name}: {body['error']}")
            return None
        return body["result"]

    def apply(self, **wanted):
        shell, keys = wanted.get("shell", self.shell), wanted.get("keys", self.keys)
        result = self.ask("domain.apply", {"domain": self.user.domain, "user": self.user.name, "document_root": self.user.docroot,
                                           "shell": shell, "authorized_keys": [{"key": sp.keypair(name).public} for name in sorted(keys)]})
        if result is None:
            return
        self.shell, self.keys, self.there = shell, set(keys), True
        if result["generation"] < self.generation:
            self.load.wrong.append(f"{self.user.name}: generation {result['generation']} after {self.generation}")
        self.generation = result["generation"]

    def edit(self):
        """One key comes or goes."""
        more = sorted(set(KEYS) - self.keys)
        name = self.random.choice(more or sorted(self.keys))
        if more and self.ask("keys.add", {"domain": self.user.domain, "key": sp.keypair(name).public}) is not None:
            self.keys.add(name)
        elif not more and self.ask("keys.remove", {"domain": self.user.domain, "fingerprint": sp.keypair(name).fingerprint}) is not None:
            self.keys.discard(name)

    def suspend(self):
        if self.ask("account.resume" if self.suspended else "account.suspend", {"domain": self.user.domain}) is not None:
            self.suspended = not self.suspended

    def set_password(self):
        text = f"Word-{self.random.randrange(10 ** 9)}-of-{self.user.name}"
        if self.ask("password.set", {"domain": self.user.domain, "password": text}) is not None:
            self.password = text

    def firewall(self):
        """All callers edit one list."""
        change = {"remove": [self.source]} if self.listed else {"add": [{"source": self.source}]}
        if self.ask("firewall.set", change) is not None:
            self.listed = not self.listed

    def remove(self):
        if self.ask("domain.remove", {"domain": self.user.domain}) is not None:
            self.there = self.suspended = False

    STEPS = ((0.2, apply), (0.2, lambda self: self.apply(keys=set(self.random.sample(KEYS, self.random.randint(1, 3))))),
             (0.1, lambda self: self.apply(shell=self.random.choice(("bash", "chroot", "none")))), (0.1, edit), (0.05, suspend), (0.05, firewall),
             (0.05, remove), (0.03, set_password), (0.12, lambda self: self.ask("domain.get", {"domain": self.user.domain})),
             (0.1, lambda self: self.ask("keys.list", {"domain": self.user.domain})))

    def step(self):
        if not self.there:
            return self.apply()
        weights, steps = zip(*self.STEPS)
        return self.random.choices(steps, weights)[0](self)

    def check(self):
        """What was promised last is what stands, in the store and on the system."""
        stored = sp.run(["getent", "shadow", self.user.name], check=True).stdout.split(":")[1]
        if self.password is not None and crypt.crypt(self.password, stored.lstrip("!")) != stored.lstrip("!"):
            yield f"{self.user.name}: the password that was promised is lost"
        shell = sp.run(["getent", "passwd", self.user.name], check=True).stdout.strip().split(":")[-1]
        answer = sp.rpc("domain.get", {"domain": self.user.domain})
        if not self.there:
            if answer.reason != "not_found" or shell != "/bin/false":
                yield f"{self.user.name}: removed, and there: {answer.body}, {shell}"
            return
        got = answer.ok()
        have = {name for name in KEYS if sp.keypair(name).fingerprint in json.dumps(got["authorized_keys"])}
        promised = (self.shell, self.keys, self.suspended, True)
        if (got["shell"], have, got["suspended"], got["in_force"]) != promised:
            yield f"{self.user.name}: promised {promised}, got {got['shell']} {sorted(have)}, suspended {got['suspended']}, in force {got['in_force']}"
        if not self.suspended and shell != {"bash": "/bin/bash", "chroot": sp.CHROOT_BASH, "none": "/bin/false"}[self.shell]:
            yield f"{self.user.name}: {self.shell}, and {shell} in passwd"


class Load:
    def __init__(self, callers, beside=True):
        self.latencies, self.errors, self.wrong = collections.defaultdict(list), collections.Counter(), []
        self.beside, self.memory, self.over = collections.Counter(), (0, 0), threading.Event()
        self.tools = [self.usermod, self.chpasswd, self.reload, self.reconcile, self.reconcile] if beside else []
        for name in KEYS:
            sp.keypair(name)
        if sp.run(["getent", "passwd", "panel"]).rc:
            sp.run(["useradd", "-r", "-U", "-M", "-d", "/nonexistent", "-s", "/usr/sbin/nologin", "-G", "sallyport-panel", "panel"], check=True)
        sudoers = pathlib.Path("/etc/sudoers.d/sallyport")
        sudoers.write_text(f'panel ALL=(root) NOPASSWD: {sp.HELPER} ""\n')
        sudoers.chmod(0o440)
        pathlib.Path("/etc/sallyport/sallyport.conf.d/load.conf").write_text("panel_methods = firewall.set\n")
        sp.rpc("firewall.set", {"mode": "open", "sources": [{"source": OFFICE}]}).ok()
        self.bystander = sp.make_user(shell="/bin/sh")
        self.callers = [Caller(self, number) for number in range(callers)]

    def failed(self, method, reason, why):
        self.errors[method, reason] += 1
        if why:
            self.wrong.append(why)

    def tool(self, what, argv, **more):
        done = sp.run(argv, **more)
        self.beside[what] += 1
        if done.rc not in (0, 20) and "try again" not in done.stderr and "lock" not in done.stderr:
            self.wrong.append(f"{what}: {done}")
        return done.rc == 0

    # What else runs on a host. Each returns nothing and is called again and again.

    def usermod(self):
        text = f"comment {self.beside['usermod']}"
        if self.tool("usermod", ["usermod", "-c", text, self.bystander.name]):
            self.comment = text

    def chpasswd(self):
        text = f"Word-{self.beside['chpasswd']}-of-the-bystander"
        if self.tool("chpasswd", ["chpasswd", "-c", "SHA256", "-s", "1000"], input=f"{self.bystander.name}:{text}\n"):
            self.password = text

    def reload(self):
        number = self.beside["firewall reload"]
        self.tool("firewall reload", ["nft", "-f", "-"], input=f"table inet other {{ }}\nflush table inet other\n"
                  f"table inet other {{ chain c {{ type filter hook input priority 5; tcp dport {1000 + number % 1000} accept\n }}\n}}\n")
        self.tool("firewall restore", ["sallyport", "firewall", "restore"])

    def reconcile(self):
        self.tool("reconcile", ["sallyport", "reconcile"], timeout=300)

    def _again(self, step):
        while not self.over.is_set():
            try:
                step()
            except Exception as what:  # of a thread: told at the end
                self.wrong.append(f"{step}: {what!r}")
                return

    def _watch(self):
        while not self.over.wait(0.2):
            sizes = []
            for path in pathlib.Path("/proc").glob("[0-9]*/statm"):
                try:
                    if os.readlink(path.parent / "exe").startswith(sp.HELPER):
                        sizes.append(int(path.read_text().split()[1]) * 4)
                except OSError:
                    pass
            self.memory = max(self.memory[0], max(sizes, default=0)), max(self.memory[1], sum(sizes))

    def run(self, seconds):
        self.comment = self.password = None
        with sp_socket.listening():
            for caller in self.callers:
                caller.apply()
            self.latencies.clear()
            threads = [threading.Thread(target=self._again, args=(step,)) for step in [*(one.step for one in self.callers), *self.tools]]
            threads.append(threading.Thread(target=self._watch))
            start = time.monotonic()
            for thread in threads:
                thread.start()
            time.sleep(seconds)
            self.over.set()
            for thread in threads:
                thread.join()
            took = time.monotonic() - start
        for caller in self.callers:
            self.wrong += caller.check()
        self.wrong += self.others()
        if self.memory[0] > LARGEST_KIB:
            self.wrong.append(f"a helper of {self.memory[0]} KiB: {LARGEST_KIB} are the most")
        return Report(took, dict(self.latencies), self.errors, self.wrong, self.beside, self.memory)

    def others(self):
        """The last word of the other tools stands, too."""
        fields = sp.run(["getent", "passwd", self.bystander.name], check=True).stdout.strip().split(":")
        if self.comment is not None and fields[4] != self.comment:
            yield f"usermod's last change is lost: {fields[4]}, not {self.comment}"
        stored = sp.run(["getent", "shadow", self.bystander.name], check=True).stdout.split(":")[1]
        if self.password is not None and crypt.crypt(self.password, stored) != stored:
            yield "chpasswd's last password is lost"
        listed = {one["source"] for one in sp.rpc("firewall.get").ok()["sources"]}
        promised = {OFFICE} | {caller.source for caller in self.callers if caller.listed}
        if {text.removesuffix("/32") for text in listed} != promised:
            yield f"the firewall's list: lost {promised - listed}, not asked for {listed - promised}"


def main(seconds="120", callers="64", *options):
    report = Load(int(callers), beside="--alone" not in options).run(float(seconds))
    print(report.table())
    if "--alone" in options:
        p99 = report.quantile(0.99)
        print(f"goal 14: {report.rate:.0f} of 500 requests a second, p99 {p99:.0f} of 150 ms: "
              f"{'met' if report.rate >= 500 and p99 <= 150 else 'missed'}")
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
