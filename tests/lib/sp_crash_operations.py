# SPDX-License-Identifier: GPL-3.0-or-later
"""The operations that the crash tests disturb: every method that changes something, from each of its beginnings."""

import functools
import os
import pathlib
import re
import subprocess

import pytest

import sp
from sp_crash import WHOLE, Operation
from sp_crash_host import MAPS, Host
from sp_safety import STORE

CONF = pathlib.Path("/etc/sallyport/sallyport.conf.d/crash.conf")
CA = pathlib.Path(STORE, "ca")
UPGRADED = pathlib.Path("/usr/bin/cksum")
METHODS = re.compile(r'\{"([a-z_.]+)", SP_METHOD_(\w+)')


def methods():
    """name -> whether it changes anything, as lib/engine/methods.c says."""
    text = pathlib.Path(os.environ["SALLYPORT_SOURCE"], "lib/engine/methods.c").read_text()
    return {name: kind != "READS" for name, kind in METHODS.findall(text)}


class World:
    """A host with a user who has a key of his own, beside a jailed account that nothing may touch."""

    def __init__(self):
        self.host = Host()
        names = [name for name, changes in methods().items() if changes]
        CONF.write_text(f"auth_log = {sp.SYSLOG}\npanel_methods = {' '.join(names)}\n")
        sudo = pathlib.Path("/etc/sallyport/sudo.d")
        sudo.mkdir(exist_ok=True)
        (sudo / "id").write_text("command /usr/bin/id\n")
        # An extra login wants a filesystem that takes idmapped mounts.
        sp.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/srv"], check=True)
        self.neighbour = self.make("neighbour")
        sp.rpc("domain.apply", {"domain": self.neighbour.domain, "user": self.neighbour.name, "document_root": self.neighbour.docroot,
                                "shell": "chroot", "authorized_keys": [{"key": sp.keypair().public}]}).ok()
        self.user = self.make("site", "other")
        sp.put_key(self.user, sp.keypair("own"))
        self.session, self.upgraded = None, UPGRADED.read_bytes()
        self.base = self.host.look(True)
        self.etc = sp.snapshot(["/etc"], exclude=["/etc/.pwd.lock"])

    @staticmethod
    def make(name, *folders):
        user = sp.make_user(name, home=f"/srv/{name}.example", mode=0o751)
        for folder in folders:
            os.makedirs(f"{user.home}-{folder}")
            os.chown(f"{user.home}-{folder}", user.uid, user.gid)
            os.chmod(f"{user.home}-{folder}", 0o751)
        return user

    def reset(self):
        if self.session:
            self.session.kill()
            self.session.wait()
            self.session = None
        if UPGRADED.read_bytes() != self.upgraded:
            UPGRADED.write_bytes(self.upgraded)
        unmap(self)
        self.host.put_back(self.base)


def panel():
    return {"key": sp.keypair("panel").public}


def new():
    return {"key": sp.keypair("new").public}


def first(shell="chroot", **more):
    """The first request for the user."""
    return ("domain.apply", lambda world: {"domain": world.user.domain, "user": world.user.name, "document_root": world.user.docroot,
                                           "shell": shell, "authorized_keys": [panel()], **more})


def of(method, **more):
    """A request on the user's domain."""
    return (method, lambda world: {"domain": world.user.domain, **{key: one() if callable(one) else one for key, one in more.items()}})


def op(name, request, *start, **more):
    # libnftnl without memory builds half a rule, which the kernel refuses: its word is what is told.
    says = ("unsupported",) if request[0].startswith("firewall.") else ()
    return Operation(name, request[0], request[1], start, **{"says": says, **more})


def account(name, request, *start, **more):
    return op(name, request, *start, loud=True, **more)


apply = functools.partial(of, "domain.apply")


def fresh(label):
    return lambda: sp.keypair(label).public


def print_of(label):
    return lambda: sp.keypair(label).fingerprint


def firewall(**params):
    for name in ("sources", "add"):
        if name in params:
            params[name] = [{"source": block} for block in params[name]]
    return ("firewall.set", params)


def adopt():
    return ("account.adopt", {"panel": "generic", "document_root": "/srv/*-other"})


def second(world):
    sp.rpc("domain.apply", {"domain": "second.example", "user": world.user.name, "document_root": f"{world.user.home}-other",
                            "authorized_keys": [new()]}).ok()


def user_add(**more):
    return ("user.add", lambda world: {"domain": world.user.domain, "user": "tech", "authorized_keys": [{"key": sp.keypair("tech").public}], **more})


def unmap(world):
    """As after a reboot: /run is empty."""
    if os.path.isdir(MAPS):
        for name in os.listdir(MAPS):
            sp.run(["umount", "-l", f"{MAPS}/{name}"])
            os.unlink(f"{MAPS}/{name}")


def ca(what):
    return (f"certificate.ca.{what}", {})


issue = of("certificate.issue", fingerprint=print_of("panel"))


def lists_stand(world):
    """What sshd reads is whole: a list of revoked ones that is broken locks everybody out, plain keys included."""
    revoked, trusted = CA / "revoked", CA / "trusted"
    if revoked.exists():
        assert sp.run(["ssh-keygen", "-Q", "-l", "-f", revoked]).rc == 0, "the list of revoked certificates is broken"
    if trusted.exists():
        assert revoked.exists(), "sshd is told of a list that is not there"
        halves = {path.read_text().split()[1] for path in CA.glob("*.pub")}
        assert {line.split()[1] for line in trusted.read_text().splitlines()} <= halves, "an authority is trusted whose key is not there"


def global_add(**more):
    return ("global_keys.add", lambda world: {"key": sp.keypair("global").public, **more})


def outdate(world):
    """A program of the jails is upgraded on the host."""
    UPGRADED.write_bytes(world.upgraded + b"upgraded")


def session(world):
    """Somebody is in."""
    if world.session is None or world.session.poll() is not None:
        world.session = subprocess.Popen([*sp.client("ssh", key=sp.keypair("panel")), f"{world.user.name}@127.0.0.1", "echo in; exec sleep 1000"],
                                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert world.session.stdout.readline() == "in\n"


def trial(world):
    """A policy on trial, and somebody who came in by it."""
    world.token = sp.rpc("firewall.set", {"mode": "restricted", "sources": [{"source": "192.0.2.3"}], "confirm_within": 36000}).ok()["pending"]["token"]
    assert sp.probe("192.0.2.3") == "open"


def no_rules(world):
    sp.run(["nft", "flush", "ruleset"], check=True)


def loosened(world):
    """What a hasty admin leaves behind."""
    sp.run(["usermod", "-s", "/bin/bash", world.user.name], check=True)
    os.chmod(f"{world.user.home}/.ssh/authorized_keys", 0o666)


OPERATIONS = [
    *(account(f"domain.apply first {shell}", first(shell)) for shell in ("chroot", "bash", "none")),
    *(account(f"domain.apply {old}-{new_}", apply(shell=new_), first(old))
      for old, new_ in (("bash", "chroot"), ("chroot", "bash"), ("chroot", "none"), ("none", "chroot"), ("bash", "none"), ("none", "bash"))),
    account("domain.apply keys", apply(authorized_keys=lambda: [{**panel(), "from": ["192.0.2.0/24"]}, new()]), first()),
    # A new key may never meet the old, wider shell.
    account("domain.apply shell and keys", apply(shell="chroot", authorized_keys=lambda: [new()]), first("bash")),
    account("domain.apply second domain", ("domain.apply", lambda world: {"domain": "second.example", "user": world.user.name,
            "document_root": f"{world.user.home}-other", "authorized_keys": [new()]}), first()),
    account("domain.apply jail, limits, dates", apply(jail={"profiles": ["base"], "tmp_mib": 8}, limits={"processes": 100}, forwarding="all",
            valid_until="2036-01-01T00:00:00Z"), first()),
    account("domain.apply authentication", apply(authentication="password_or_key"), first("bash")),
    account("domain.apply sudo", apply(sudo=["id"]), first("bash")),
    # The account is told first, and stands: what the firewall lacks then is told by its next request, or reconcile.
    op("domain.apply sources, restricted", apply(sources=["192.0.2.3"]), first("bash"), firewall(mode="restricted", sources=["192.0.2.2"]), rules=True),
    account("domain.apply to an adopted one", apply(shell="chroot", authorized_keys=lambda: [panel()]), adopt()),
    account("keys.add", of("keys.add", key=fresh("new")), first("bash")),
    account("keys.remove", of("keys.remove", fingerprint=print_of("panel")), first("bash")),
    account("keys.remove with its certificate", of("keys.remove", fingerprint=print_of("panel")), ca("create"), first("bash"), issue, grows=f"{STORE}/ca/issued",
            sound=lists_stand),
    *(account(f"domain.remove {shell}", of("domain.remove"), first(shell)) for shell in ("chroot", "bash")),
    op("domain.remove with all it may have", of("domain.remove"), ca("create"), firewall(mode="restricted", sources=["192.0.2.2"]),
            first("bash", sudo=["id"], sources=["192.0.2.3"], limits={"processes": 100}), issue, rules=True, sound=lists_stand),
    account("domain.remove one of two", ("domain.remove", {"domain": "second.example"}), first(), second),
    account("domain.rebind name", of("domain.rebind", new_domain="moved.example"), first()),
    account("domain.rebind root", ("domain.rebind", lambda world: {"domain": world.user.domain, "document_root": f"{world.user.home}-other"}), first()),
    account("account.suspend", of("account.suspend"), first("bash")),
    account("account.resume", of("account.resume"), first("bash"), of("account.suspend")),
    account("password.lock", of("password.lock"), first("bash")),
    account("password.unlock", of("password.unlock"), first("bash"), of("password.lock")),
    # not_in_force: PAM's own want of memory, which it took for success.
    op("password.set", of("password.set", password="Correct-horse-42-battery"), first("bash"), repeats=False, says=("rejected", "not_in_force")),
    op("password.generate", of("password.generate"), first("bash"), repeats=False, says=("rejected", "not_in_force")),
    op("account.adopt", adopt()),
    op("account.adopt undo", ("account.adopt", {"panel": "generic", "document_root": "/srv/*-other", "undo": True}), adopt()),
    op("user.add", user_add(), first(), each=unmap),
    op("user.add more", user_add(label="somebody else", read_only=True, authorized_keys=[]), first(), user_add()),
    op("user.remove", of("user.remove", user="tech"), first(), user_add(), each=unmap),
    op("certificate.ca.create", ca("create"), first("bash"), repeats=False, sound=lists_stand),
    op("certificate.ca.rotate", ca("rotate"), ca("create"), first("bash"), repeats=False, grows=f"{STORE}/ca/.*", sound=lists_stand),
    op("certificate.ca.drop", ("certificate.ca.drop", {"number": 1}), ca("create"), first("bash"), issue, ca("rotate"), repeats=False, sound=lists_stand),
    op("certificate.issue", issue, ca("create"), first("bash"), repeats=False, grows=f"{STORE}/ca/issued", sound=lists_stand),
    op("certificate.revoke", ("certificate.revoke", {"serial": 1}), ca("create"), first("bash"), issue, repeats=False, grows=f"{STORE}/ca/issued", sound=lists_stand),
    op("global_keys.add", global_add(), first("bash")),
    op("global_keys.add group", global_add(group="users"), first("bash"), global_add()),
    op("global_keys.remove", ("global_keys.remove", lambda world: {"fingerprint": sp.keypair("global").fingerprint}), first("bash"), global_add()),
    op("jail.build", ("jail.build", {"profiles": ["base", "git"]}), slow=True, most=40),
    op("jail.refresh", ("jail.refresh", {}), first(), outdate, slow=True, most=40),
    op("sessions.end", of("sessions.end"), first("bash"), each=session, repeats=False),
    op("firewall.set restricted", firewall(mode="restricted", sources=["192.0.2.2", "2001:db8::2"]), rules=True),
    op("firewall.set sources", firewall(add=["192.0.2.3"], remove=["2001:db8::2"], force=True),
       firewall(mode="restricted", sources=["192.0.2.2", "2001:db8::2"]), rules=True),
    op("firewall.set open", firewall(mode="open"), firewall(mode="restricted", sources=["192.0.2.2"]), rules=True),
    op("firewall.set unmanaged", firewall(mode="unmanaged", force=True), firewall(mode="restricted", sources=["192.0.2.2"]), rules=True),
    op("firewall.set on trial", firewall(mode="open", confirm_within=3600), firewall(mode="restricted", sources=["192.0.2.2"]), rules=True,
       repeats=False),
    op("firewall.confirm", ("firewall.confirm", lambda world: {"token": world.token}), firewall(mode="restricted", sources=["192.0.2.2"]),
       trial, rules=True, repeats=False, passing=(f"{STORE}/firewall.pending",)),
    op("firewall.rollback", ("firewall.rollback", {}), firewall(mode="restricted", sources=["192.0.2.2"]), trial, rules=True),
    op("firewall.restore", ("firewall.restore", {}), firewall(mode="restricted", sources=["192.0.2.2"]), no_rules, rules=True),
    op("system.reconcile", ("system.reconcile", {}), firewall(mode="restricted", sources=["192.0.2.2"]), first(), loosened, no_rules, rules=True),
    op("login.diagnose fix", of("login.diagnose", fix=True), first(), loosened, repeats=False, most=100),
]


each = pytest.mark.parametrize("operation", [one for one in OPERATIONS if WHOLE or not one.slow], ids=lambda one: one.name.replace(" ", "_").replace(",", ""))


THIN = ("domain.apply first", "domain.apply bash-", "domain.apply none-", "domain.apply keys", "domain.remove chroot", "keys.add")
thin = pytest.mark.parametrize("operation", [one for one in OPERATIONS if WHOLE or one.name.startswith(THIN)], ids=lambda one: one.name.replace(" ", "_"))


the_world = functools.lru_cache(None)(World)


@pytest.fixture(scope="module")
def world(host):
    one = the_world()
    yield one
    one.reset()
    assert one.etc.diff(sp.snapshot(["/etc"], exclude=["/etc/.pwd.lock"])) == []
