# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/table, safety 31: the power is cut in front of every call that changes something. The disks then hold the old state, the new one
or a prefix of the plan; what was answered is there; one rerun converges. tests/crash/sweep --power does it without gaps."""

import functools
import itertools
import os
import pathlib
import shutil

import pytest

import sp
import sp_power
from sp_crash import EVERY, WHOLE, share
from sp_crash_operations import methods
from sp_power import ALL, NAMES, NOTHING, STORE, Operation, Schedule

# A generation of three programs: a disk with it is copied in no time.
PROFILES = {"base": "describe A small jail.\nprogram bash\nprogram cat\nprove bash -c true\n",
            "more": "describe One program more.\nprogram date\nprove date\n",
            "aged": "describe One that the host upgrades.\nprogram aged\nprove aged\n"}
OWN, PANEL, NEW = (sp.keypair(name) for name in ("own", "panel", "new"))
CONF = pathlib.Path("/etc/sallyport/sallyport.conf.d/power.conf")
AGED = pathlib.Path("/usr/bin/aged")
FULL = {"jail": {"profiles": ["base"], "tmp_mib": 32}, "limits": {"processes": 64}, "forwarding": "none"}


@pytest.fixture(scope="module")
def site():
    """A user who is not managed yet, with a key of his own, and what operations want of the host."""
    os.makedirs("/etc/sallyport/profiles.d", exist_ok=True)
    for name, text in PROFILES.items():
        pathlib.Path(f"/etc/sallyport/profiles.d/{name}.profile").write_text(text)
    changing = [name for name, changes in methods().items() if changes]
    CONF.with_name("methods.conf").write_text(f"panel_methods = {' '.join(changing)}\n")
    os.makedirs("/etc/sallyport/sudo.d", exist_ok=True)
    pathlib.Path("/etc/sallyport/sudo.d/id").write_text("command /usr/bin/id\n")
    sp.run(["ssh-keygen", "-A"], check=True)
    user = sp.make_user()
    sp.put_key(user, OWN)
    pathlib.Path(user.home + "2").mkdir()
    sp.run(["chown", f"{user.uid}:{user.gid}", user.home + "2"], check=True)
    return user


@pytest.fixture(scope="module")
def disks(site):
    """kind, together -> a host on such disks, with an account beside that nothing may touch."""
    made, neighbour = {}, sp.make_user()

    def furnish():
        sp_power.boot()
        sp.rpc(*first(neighbour)).ok()
        sp.rpc("system.reconcile").ok()

    def get(kind, together):
        if (kind, together) not in made:
            made[kind, together] = sp_power.Host(kind, together, furnish)
        return made[kind, together]

    return get


def first(user, shell="chroot", **more):
    return ("domain.apply", {"domain": user.domain, "user": user.name, "document_root": user.docroot, "shell": shell, **keys(PANEL), **more})


def change(user, **more):
    return ("domain.apply", {"domain": user.domain, **more})


def remove(user):
    return ("domain.remove", {"domain": user.domain})


def keys(*several):
    return {"authorized_keys": [{"key": key.public} for key in several]}


def by(*words):
    return ["/usr/bin/sallyport", *words, "--json"]


def key_store(user):
    """The keys are kept by root."""
    CONF.write_text("key_store = root\n")


def renamed(user):
    """The user bears another name now; his home stays where it is."""
    sp.run(["usermod", "-l", "renamed", user.name], check=True)


def loosened(user):
    """What a hasty admin leaves behind."""
    sp.run(["usermod", "-s", "/bin/bash", user.name], check=True)
    os.chmod(f"{user.home}/.ssh/authorized_keys", 0o666)


def aged(user, more=b""):
    """A program of the jails as the host has it: /usr lies on no disk of these."""
    shutil.copy("/usr/bin/true", AGED)
    with open(AGED, "ab") as file:
        file.write(more)


def no_rules(user):
    sp.run(["nft", "flush", "ruleset"], check=True)


class Trial:
    """A policy of the SSH port on trial, in which somebody came in. It ends with the boot."""

    token = None

    def __call__(self, user):
        answer = sp.rpc("firewall.set", {"mode": "restricted", "sources": [{"source": sp.OUTSIDE4_B}], "confirm_within": 36000}).ok()
        Trial.token = answer["pending"]["token"]
        assert sp.probe(sp.OUTSIDE4_B) in ("open", "refused")

    @staticmethod
    def confirmed(user):
        return ("firewall.confirm", {"token": Trial.token})


def shell_changes(user):
    for old, new in itertools.permutations(("chroot", "bash", "none"), 2):
        yield f"shell {old} to {new}", (change(user, shell=new), [first(user, old)])


def operations(user):
    """name -> what is asked, what was before it, and the paths whose content differs from run to run."""
    domain = {"domain": user.domain}
    ca = by("certificates", "ca", "create")
    issue = ("certificate.issue", {**domain, "fingerprint": PANEL.fingerprint})
    random = (f"^{STORE}/ca/", "^/etc/shadow$", f"^{STORE}/principals/", f"^{STORE}/logins/.*json$")
    add, drop = ("keys.add", {**domain, "key": NEW.public}), ("keys.remove", {**domain, "fingerprint": NEW.fingerprint})
    login = ("user.add", {**domain, "user": "tech", **keys(NEW)})
    everywhere = by("global-keys", "add", NEW.path + ".pub")
    adopt = ("account.adopt", {"panel": "generic", "document_root": f"{os.path.dirname(user.docroot)}/*"})
    second = ("domain.apply", {"domain": f"second.{user.domain}", "user": user.name, "document_root": user.docroot + "2", **keys(NEW)})
    pending = f"^{STORE}/firewall.pending$"
    restrict = ("firewall.set", {"mode": "restricted", "sources": [{"source": "192.0.2.0/24"}]})
    return {
        "first request, chroot": (first(user), []),
        "first request, bash": (first(user, "bash"), []),
        "first request, all of it": (first(user, **FULL), []),
        "first request, a generation": (first(user, jail={"profiles": ["more"]}), [], (f"^{STORE}/gen/.*/manifest$",)),
        "first request, keys kept by root": (first(user), [key_store]),
        "removal of chroot": (remove(user), [first(user)]),
        "removal of bash": (remove(user), [first(user, "bash")]),
        "removal, keys kept by root": (remove(user), [key_store, first(user)]),
        "keys edited": (change(user, authorized_keys=[{"key": PANEL.public, "from": ["192.0.2.0/24"]}, {"key": NEW.public}]), [first(user)]),
        "keys edited, kept by root": (change(user, **keys(NEW)), [key_store, first(user)]),
        "key added": (add, [first(user)]),
        "key removed": (drop, [first(user, "bash"), add]),
        "shell and keys at once": (change(user, shell="chroot", **keys(NEW)), [first(user, "bash")]),
        **dict(shell_changes(user)),
        "domain renamed": (("domain.rebind", {**domain, "new_domain": f"new.{user.domain}"}), [first(user)]),
        "document root moved": (("domain.rebind", {**domain, "document_root": user.docroot + "2"}), [first(user)]),
        "user renamed": (("domain.rebind", {**domain, "user": "renamed"}), [first(user), renamed]),
        "account suspended": (("account.suspend", domain), [first(user)]),
        "account resumed": (("account.resume", domain), [first(user), ("account.suspend", domain)]),
        "password locked": (("password.lock", domain), [first(user, "bash")]),
        "password set": (("password.set", {**domain, "password": "Power-Cut-9-Horse"}), [first(user, "bash")], random),
        "extra login added": (login, [first(user)], random),
        "extra login removed": (("user.remove", {**domain, "user": "tech"}), [first(user), login], random),
        "global key added": (everywhere, [first(user)]),
        "global key removed": (by("global-keys", "remove", NEW.fingerprint, "--yes"), [first(user), everywhere]),
        "certificate authority made": (ca, [first(user)], random),
        "certificate issued": (issue, [ca, first(user)], random),
        "certificate revoked": (("certificate.revoke", {"serial": 1}), [ca, first(user), issue], random),
        "firewall restricted": (restrict, [first(user)]),
        "firewall opened": (("firewall.set", {"mode": "open"}), [first(user), restrict]),
        "accounts adopted": (by("adopt", "--from", "generic", "--document-root", f"{os.path.dirname(user.docroot)}/*"), []),
        "adoption undone": (("account.adopt", {**adopt[1], "undo": True}), [adopt]),
        "an adopted one asked for": (first(user), [adopt]),
        "second domain": (second, [first(user)]),
        "one domain of two removed": (("domain.remove", {"domain": second[1]["domain"]}), [first(user), second]),
        "jail, limits, dates": (change(user, **FULL, valid_until="2036-01-01T00:00:00Z"), [first(user)]),
        "authentication": (change(user, authentication="password_or_key"), [first(user, "bash")]),
        "sudo": (change(user, sudo=["id"]), [first(user, "bash")]),
        "sources": (change(user, sources=["192.0.2.3"]), [first(user, "bash"), restrict]),
        "removal of all it may have": (remove(user), [ca, restrict, first(user, "bash", sudo=["id"], sources=["192.0.2.3"], limits={"processes": 64}),
                                                      issue], random),
        "key removed with its certificate": (("keys.remove", {**domain, "fingerprint": PANEL.fingerprint}), [ca, first(user, "bash"), issue], random),
        "password unlocked": (("password.unlock", domain), [first(user, "bash"), ("password.lock", domain)]),
        "password generated": (("password.generate", domain), [first(user, "bash")], random),
        "extra login changed": (("user.add", {**domain, "user": "tech", "label": "somebody else", "read_only": True, "authorized_keys": []}),
                                [first(user), login], random),
        "global key for a group": (("global_keys.add", {"key": NEW.public, "group": "users"}), [first(user), everywhere]),
        "certificate authority rotated": (("certificate.ca.rotate", {}), [ca, first(user)], random),
        "certificate authority dropped": (("certificate.ca.drop", {"number": 1}), [ca, first(user), issue, ("certificate.ca.rotate", {})], random),
        "generation built": (("jail.build", {"profiles": ["base", "more"]}), [first(user)], (f"^{STORE}/gen/.*/manifest$",)),
        "generations refreshed": (("jail.refresh", {}), [aged, first(user, jail={"profiles": ["base", "aged"]})], (f"^{STORE}/gen/.*/manifest$",)),
        "sessions ended": (("sessions.end", domain), [first(user, "bash")]),
        "firewall's sources": (("firewall.set", {"add": [{"source": "192.0.2.3"}], "remove": ["192.0.2.0/24"], "force": True}), [first(user), restrict]),
        "firewall given up": (("firewall.set", {"mode": "unmanaged", "force": True}), [first(user), restrict]),
        "firewall on trial": (("firewall.set", {"mode": "open", "confirm_within": 3600}), [first(user), restrict], (pending,)),
        "firewall's trial confirmed": (Trial.confirmed, [first(user), restrict], (pending,)),
        "firewall's trial rolled back": (("firewall.rollback", {}), [first(user), restrict], (pending,)),
        "firewall restored": (("firewall.restore", {}), [first(user), restrict]),
        "reconcile": (("system.reconcile", {}), [first(user), restrict]),
        "doctor's mend": (("login.diagnose", {**domain, "fix": True}), [first(user)]),
    }


NAMES_OF_OPERATIONS = list(operations(sp.User("u", 1, 1, "/u", "/u", "u")))

KEYGEN = (f"^{STORE}/ca/(new|asked|issued$)",)
PECULIAR = {
    # The old name's state stands beside the new one's until the request comes again: it grants nothing.
    "user renamed": {"alone": True},
    # ssh-keygen writes, and we sync; the record of certificates grows at its end, and a line that is not whole does not count.
    "certificate authority made": {"passing": KEYGEN, "once": "conflict", "alone": True},
    "certificate issued": {"passing": KEYGEN, "alone": True},
    "certificate revoked": {"passing": KEYGEN, "alone": True},
    # Some of them are recorded, and the others are by the next request.
    "accounts adopted": {"alone": True},
    "extra login added": {"anew": True},
    "first request, a generation": {"alone": True},
    "global key added": {"once": "conflict", "alone": True},
    "global key removed": {"alone": True},
    "adoption undone": {"alone": True},
    "password generated": {"repeats": False},
    "global key for a group": {"once": "conflict", "alone": True},
    "certificate authority rotated": {"passing": KEYGEN, "repeats": False, "anew": True, "alone": True},
    "certificate authority dropped": {"passing": KEYGEN, "once": "not_found", "alone": True},
    "removal of all it may have": {"passing": KEYGEN, "alone": True},
    "key removed with its certificate": {"passing": KEYGEN, "alone": True},
    "generation built": {"alone": True},
    "generations refreshed": {"behind": [functools.partial(aged, more=b"upgraded")], "alone": True},
    "firewall on trial": {"repeats": False, "either": True},
    "firewall's trial confirmed": {"each": Trial(), "once": "not_found", "either": True},
    "firewall's trial rolled back": {"each": Trial()},
    "firewall restored": {"each": no_rules},
    "reconcile": {"behind": [loosened]},
    "doctor's mend": {"behind": [loosened], "repeats": False},
}



def bound(user, step):
    return functools.partial(step, user) if callable(step) else step


def peculiar(user, name):
    how = dict(PECULIAR.get(name, {}))
    if "behind" in how:
        how["behind"] = [bound(user, step) for step in how["behind"]]
    if "each" in how:
        how["each"] = bound(user, how["each"])
    return how


# Each place on a disk of its own, or all on one. "wb": as hosts have it that want speed.
HOSTS = ["ext4", "xfs", "btrfs", "ext4/1", "ext4wb/1", "xfs/1", "btrfs/1"] if WHOLE else ["ext4", "xfs"]
SCHEDULES = [(NOTHING, 0), (NAMES, 0), (ALL, 0), ("chance", 1)] if WHOLE else [(NOTHING, 0), ("chance", 1)]
SAMPLE = ["first request, chroot", "keys edited", "removal of chroot", "password set"]


@sp.covers("safety 31")
@pytest.mark.parametrize("name", NAMES_OF_OPERATIONS if WHOLE else SAMPLE)
@pytest.mark.parametrize("disk", HOSTS)
def test_power_cut_anywhere_it_is_the_old_or_the_new_state_and_one_rerun_converges(site, disks, disk, name):
    kind, _, together = disk.partition("/")
    if not sp_power.known(kind):
        pytest.skip(f"this kernel has no {kind} (/proc/filesystems)")
    do, before, *loose = operations(site)[name]
    user = site._replace(name="renamed") if name == "user renamed" else site
    one = Operation(name, user, bound(site, do), [bound(site, step) for step in before], *loose, **peculiar(site, name))
    one.prepare(disks(kind, bool(together)))
    # A run takes longer than what is looked at of it: of one cut in N, every other run alone is made.
    schedules = share(f"{disk}, {name}", SCHEDULES, 2) if EVERY > 1 else SCHEDULES
    one.sweep([Schedule(*words) for words in schedules], None if WHOLE else 5)


# The words of sallyport(8) that stand in the list above.
BY_WORDS = {"certificates ca create": "certificate.ca.create", "global-keys add": "global_keys.add", "global-keys remove": "global_keys.remove",
            "adopt": "account.adopt"}


def test_every_method_that_changes_something_is_among_them(site):
    asked = [bound(site, do)() if callable(do) else do for do, *_ in operations(site).values()]
    words = [" ".join(one[1:]) for one in asked if isinstance(one, list)]
    named = {one[0] for one in asked if isinstance(one, tuple)} | {method for text, method in BY_WORDS.items() if any(one.startswith(text) for one in words)}
    assert named == {name for name, changes in methods().items() if changes}
