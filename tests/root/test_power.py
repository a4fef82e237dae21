# SPDX-License-Identifier: GPL-3.0-or-later
"""safety.md, Test 31: the power is cut in front of every call that changes something. The disks then hold the old state, the new one
or a prefix of the plan; what was answered is there; one rerun converges. tests/crash/sweep --power does it without gaps."""

import functools
import itertools
import os
import pathlib

import pytest

import sp
import sp_power
from sp_crash import EVERY, WHOLE, share
from sp_power import ALL, NAMES, NOTHING, STORE, Operation, Schedule

# A generation of three programs: a disk with it is copied in no time.
PROFILES = {"base": "describe A small jail.\nprogram bash\nprogram cat\nprove bash -c true\n",
            "more": "describe One program more.\nprogram date\nprove date\n"}
OWN, PANEL, NEW = (sp.keypair(name) for name in ("own", "panel", "new"))
CONF = pathlib.Path("/etc/sallyport/sallyport.conf.d/power.conf")
FULL = {"jail": {"profiles": ["base"], "tmp_mib": 32}, "limits": {"processes": 64}, "forwarding": "none"}


@pytest.fixture(scope="module")
def site():
    """A user who is not managed yet, with a key of his own, and what operations want of the host."""
    os.makedirs("/etc/sallyport/profiles.d", exist_ok=True)
    for name, text in PROFILES.items():
        pathlib.Path(f"/etc/sallyport/profiles.d/{name}.profile").write_text(text)
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
}

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
    how = PECULIAR.get(name, {})
    one = Operation(name, user, do, [functools.partial(step, site) if callable(step) else step for step in before], *loose, **how)
    one.prepare(disks(kind, bool(together)))
    # A run takes longer than what is looked at of it: of one cut in N, every other run alone is made.
    schedules = share(f"{disk}, {name}", SCHEDULES, 2) if EVERY > 1 else SCHEDULES
    one.sweep([Schedule(*words) for words in schedules], None if WHOLE else 5)
