# SPDX-License-Identifier: GPL-3.0-or-later
"""Drift: what happens to accounts behind sallyport's back, one row a kind, and what a reconcile must make of each."""

import base64
import collections
import dataclasses
import json
import os
import pathlib
import re
import shutil
import struct
import time

import sp

STORE = pathlib.Path("/var/lib/sallyport")
SITES = pathlib.Path("/var/www/vhosts")
FIRST_UID = 20000
PLANTED = "planted-elsewhere"


# Accounts

def a_public_key(text):
    """An ed25519 key: any 32 bytes are one, to everything that does not log in with it."""
    raw = text.encode().ljust(32, b".")[:32]
    blob = b"".join(struct.pack(">I", len(part)) + part for part in (b"ssh-ed25519", raw))
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"


@dataclasses.dataclass
class Site:
    number: int
    name: str

    @property
    def uid(self):
        return FIRST_UID + self.number

    @property
    def home(self):
        return SITES / self.name

    @property
    def root(self):
        return self.home / "httpdocs" if self.name.startswith("apart") else self.home

    @property
    def keys(self):
        return self.home / ".ssh/authorized_keys"

    @property
    def domain(self):
        return f"{self.name}.example"

    @property
    def entry(self):
        return STORE / "entry" / str(self.uid)

    @property
    def names(self):
        return STORE / "names" / str(self.uid)

    @property
    def access(self):
        return STORE / "access" / self.name

    @property
    def state(self):
        return STORE / "state" / f"{self.name}.json"

    @property
    def principal(self):
        return STORE / "principals" / self.name

    @property
    def sudoers(self):
        return pathlib.Path(f"/etc/sudoers.d/sallyport-{self.uid}")

    def own(self):
        """What of the host is this account's alone."""
        return [self.home, self.entry, self.names, self.access, self.state, self.principal, self.sudoers, STORE / "keys" / self.name,
                STORE / "domains" / self.domain]


# What a request of each shape asks for. The shape is the beginning of the user's name.
SHAPES = {
    "jail": {"shell": "chroot"}, "bash": {"shell": "bash"}, "none": {"shell": "none"}, "apart": {"shell": "chroot"},
    "away": {"shell": "chroot"}, "keyonly": {"shell": "chroot", "authentication": "key"},
    "both": {"shell": "chroot", "authentication": "key_and_password"}, "wide": {"shell": "chroot", "forwarding": "all"},
    "narrow": {"shell": "bash", "forwarding": "none"}, "sudo": {"shell": "bash", "sudo": ["php"]}, "cert": {"shell": "chroot"},
}


def add_users(sites):
    """Written straight into the files: useradd needs seconds for each among ten thousand."""
    lines = {"passwd": "{0}:x:{1}:{1}::/var/www/vhosts/{0}:/bin/false\n", "shadow": "{0}:!:19000:0:99999:7:::\n",
             "group": "{0}:x:{1}:\n", "gshadow": "{0}:!::\n"}
    for name, line in lines.items():
        with open(f"/etc/{name}", "a", encoding="ascii") as file:
            file.writelines(line.format(site.name, site.uid) for site in sites)
    for site in sites:
        for path in dict.fromkeys((site.home, site.root)):
            path.mkdir(parents=True)
            path.chmod(0o750)
            os.chown(path, site.uid, site.uid)
        (site.root / "index.html").write_text("the site's own\n")


def request(site):
    shape = site.name.rstrip("0123456789")
    keys = [{"key": a_public_key(f"bound {site.name}"), "from": ["192.0.2.0/24"]}, {"key": a_public_key(f"plain {site.name}"), "label": "anna"},
            {"key": a_public_key(f"brief {site.name}"), "expires_at": "2040-01-01T00:00:00Z"}]
    if shape == "cert":
        keys = keys[1:2]
    return {"jsonrpc": "2.0", "id": site.name, "method": "domain.apply", "params": {
        "domain": site.domain, "user": site.name, "document_root": str(site.root), "authorized_keys": keys, **SHAPES[shape]}}


def make(sites):
    """Real accounts, by real requests, a hundred in a call."""
    add_users(sites)
    for at in range(0, len(sites), 100):
        done = sp.run([sp.HELPER], input=json.dumps([request(site) for site in sites[at:at + 100]]), timeout=600)
        for answer in json.loads(done.stdout):
            assert "result" in answer, answer


def make_host():
    """What accounts of some shapes want of the host, and what is the host's alone."""
    templates = pathlib.Path("/etc/sallyport/sudo.d")
    templates.mkdir(parents=True, exist_ok=True)
    (templates / "php").write_text("command /usr/bin/true reload\n")
    sp.run(["sallyport", "certificates", "ca", "create"], check=True)


def host_wide(sites):
    """What wants accounts first."""
    path = pathlib.Path("/tmp/global.pub")
    path.write_text(a_public_key("global") + " admin\n")
    sp.run(["sallyport", "global-keys", "add", path], check=True)
    for site in sites:
        if site.name.startswith("cert"):
            fingerprint = sp.rpc("keys.list", {"domain": site.domain}).ok()["keys"][0]["fingerprint"]
            sp.rpc("certificate.issue", {"domain": site.domain, "fingerprint": fingerprint}).ok()


# Small tools of the table

def fields(site, **change):
    """The passwd line with other fields."""
    order = ("name", "password", "uid", "gid", "gecos", "home", "shell")
    lines = pathlib.Path("/etc/passwd").read_text().splitlines()
    for i, line in enumerate(lines):
        if line.startswith(f"{site.name}:"):
            parts = dict(zip(order, line.split(":")), **change)
            lines[i] = ":".join(parts[name] for name in order)
    put("/etc/passwd", "\n".join(lines) + "\n")


def put(path, text):
    """As editors do it: beside, then moved there."""
    new = f"{path}.drift"
    shutil.copy2(path, new)
    pathlib.Path(new).write_text(text)
    os.rename(new, path)


def edit(path, old, new, count=0):
    text = pathlib.Path(path).read_text()
    changed = re.sub(old, new, text, count=count, flags=re.MULTILINE)
    assert changed != text, f"{old!r} is not in {path}"
    pathlib.Path(path).write_text(changed)


def shell(to):
    return lambda site: fields(site, shell=to)


def members(name, change, files=("group", "gshadow")):
    def plant(site):
        for file in files:
            lines = pathlib.Path("/etc", file).read_text().splitlines()
            for i, line in enumerate(lines):
                if line.startswith(f"{name}:"):
                    head, _, listed = line.rpartition(":")
                    lines[i] = f"{head}:{','.join(change([one for one in listed.split(',') if one], site.name))}"
            put(f"/etc/{file}", "\n".join(lines) + "\n")
    return plant


def joins(group, **more):
    return members(group, lambda listed, name: [*listed, name], **more)


def leaves(group, **more):
    return members(group, lambda listed, name: [one for one in listed if one != name], **more)


def mode(which, bits):
    return lambda site: os.chmod(getattr(site, which), bits)


def chown(which, uid, gid=None):
    return lambda site: os.chown(getattr(site, which), site.uid if uid is None else uid, site.uid if gid is None else gid)


def acl(which, spec):
    return lambda site: sp.run(["setfacl", "-m", spec, getattr(site, which)], check=True)


def text(which, old, new):
    return lambda site: edit(getattr(site, which), old.format(site=site), new.format(site=site))


def appended(which, what):
    def plant(site):
        with open(getattr(site, which), "a", encoding="ascii") as file:
            file.write(what.format(site=site))
    return plant


def emptied(which):
    return lambda site: getattr(site, which).write_text("")


def gone(which):
    def plant(site):
        path = getattr(site, which)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return plant


def instead(which, make_it):
    def plant(site):
        path = getattr(site, which)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        make_it(path)
    return plant


def line_of(what):
    return lambda site: base64_of(site, what)


def base64_of(site, what):
    return re.escape(a_public_key(f"{what} {site.name}").split()[1])


def keys_line(what, change):
    """The line of one of our keys, changed: change(options, key and comment)."""
    def plant(site):
        lines = []
        for line in site.keys.read_text().splitlines():
            if re.search(base64_of(site, what), line):
                options, _, rest = line.rpartition("ssh-ed25519 ")
                line = change(options, "ssh-ed25519 " + rest)
            lines += [] if line is None else [line]
        site.keys.write_text("".join(line + "\n" for line in lines))
    return plant


def delete_user(site):
    for name in ("passwd", "shadow"):
        put(f"/etc/{name}", re.sub(f"^{site.name}:.*\n", "", pathlib.Path("/etc", name).read_text(), flags=re.MULTILINE))


def point(change):
    def plant(site):
        change(site.root / "usr")
    return plant


def all_points(site):
    for path in site.root.iterdir():
        if path.is_dir() and path.lstat().st_mode & 0o7777 == 0o1555:
            path.rmdir()


def in_shadow(pattern, new):
    return lambda site: put("/etc/shadow", re.sub(pattern.format(site=site), new.format(site=site), pathlib.Path("/etc/shadow").read_text(), flags=re.MULTILINE))


# The table: kind | shape | how it is planted | what a reconcile must say: {"mended": resources, "kept": resources}, "failed" with its
# reason, "missing", or nothing. Mended alone: all that is the account's is as it was before, to the byte. Kept, failed, missing and
# nothing: as it was planted, to the byte. `differs` names what may be otherwise than before, and why.

@dataclasses.dataclass
class Kind:
    name: str
    shape: str
    plant: object
    mended: str = ""
    kept: str = ""
    failed: str = ""
    missing: bool = False
    differs: tuple = ()  # what of the account may be other than before; all else is compared
    needs: str = ""      # what the host must offer

    @property
    def says(self):
        return (frozenset(self.mended.split()), frozenset(self.kept.split()), self.failed, self.missing)


K = Kind
OUR_KEY = "{site.name}"
KINDS = [
    # The login shell
    K("the shell is bash", "jail", shell("/bin/bash"), "shell gate"),
    K("the shell is sh", "jail", shell("/bin/sh"), "shell gate"),
    K("the shell is empty, so sh", "jail", shell(""), "shell gate"),
    K("the shell is a program of the user's", "jail", shell("/var/www/vhosts/shell"), "shell gate"),
    K("the shell is false", "jail", shell("/bin/false"), kept="shell"),
    K("the shell is nologin", "jail", shell("/usr/sbin/nologin"), kept="shell"),
    K("plain bash became false", "bash", shell("/bin/false"), kept="shell"),
    K("plain bash became the jail", "bash", shell("/usr/libexec/sallyport/chroot-bash"), kept="shell"),
    K("none became bash", "none", shell("/bin/bash"), "shell"),
    K("none became the jail", "none", shell("/usr/libexec/sallyport/chroot-bash"), "shell"),
    # The gate and the policy's groups
    K("none, and the gate was opened", "none", leaves("sallyport-none"), "gate"),
    K("none, the gate opened and the shell bash", "none", lambda s: (leaves("sallyport-none")(s), shell("/bin/bash")(s)), "gate shell"),
    K("the gate was shut", "jail", joins("sallyport-none"), kept="gate"),
    K("the gate was shut, in group alone", "jail", joins("sallyport-none", files=("group",)), kept="gate"),
    K("suspended, and the gate was opened", "away", leaves("sallyport-none"), "gate"),
    K("out of sallyport", "jail", leaves("sallyport"), "group"),
    K("out of sallyport-chroot", "jail", leaves("sallyport-chroot"), "group"),
    K("out of all groups of the policy", "jail", lambda s: (leaves("sallyport")(s), leaves("sallyport-chroot")(s)), "group"),
    K("in sallyport-forward", "jail", joins("sallyport-forward"), "group"),
    K("in sallyport-noforward", "jail", joins("sallyport-noforward"), kept="group"),
    K("a key alone, and out of keyonly", "keyonly", leaves("sallyport-keyonly"), "group"),
    K("anything, and in keyonly", "jail", joins("sallyport-keyonly"), kept="group"),
    K("key and password, and out of both", "both", leaves("sallyport-both"), "group"),
    K("a key, and in both", "jail", joins("sallyport-both"), kept="group"),
    K("may forward all, and out of forward", "wide", leaves("sallyport-forward"), kept="group"),
    K("may forward nothing, and out of noforward", "narrow", leaves("sallyport-noforward"), "group"),
    K("may forward nothing, and in forward", "narrow", joins("sallyport-forward"), "group"),
    K("listed twice in a group", "jail", joins("sallyport-chroot")),
    K("out of a group in gshadow alone", "jail", leaves("sallyport-chroot", files=("gshadow",))),
    K("in a group in gshadow alone", "jail", joins("sallyport-forward", files=("gshadow",))),
    K("in a group of the host's", "jail", joins("www-data"), "jail", differs=("names",)),
    # Fields of passwd and shadow that are not ours
    K("another name in GECOS", "jail", lambda s: fields(s, gecos="Anna,,,")),
    K("another primary group", "jail", lambda s: fields(s, gid="100"), "jail", differs=("entry", "names")),
    K("another home, which is not there", "jail", lambda s: fields(s, home="/var/www/vhosts/nowhere"), failed="not_found"),
    K("the password is locked", "jail", in_shadow("^{site.name}:!", "{site.name}:!!")),
    K("the password is another", "jail", in_shadow("^{site.name}:!", "{site.name}:$6$x$y")),
    K("the account has expired", "jail", in_shadow("^({site.name}:.*):::$", r"\1::1:")),
    K("the user is gone", "jail", delete_user, missing=True),
    K("the user is another by that name", "jail", lambda s: fields(s, uid=str(s.uid + 30000)), missing=True),
    K("the user was renamed", "jail", lambda s: fields(s, name=s.name + "new"), missing=True),
    K("two lines of the user", "jail", lambda s: put("/etc/passwd", pathlib.Path("/etc/passwd").read_text() + f"{s.name}:x:0:0::/:/bin/sh\n"), failed="broken_state"),
    K("a line that is malformed", "jail", lambda s: fields(s, shell="/bin/bash:more"), failed="broken_state"),
    # authorized_keys: rights
    K("keys that others read", "jail", mode("keys", 0o644), "authorized_keys"),
    K("keys that others write", "jail", mode("keys", 0o666), "authorized_keys"),
    K("keys that the group writes", "jail", mode("keys", 0o620), "authorized_keys"),
    K("keys of root's that all read", "jail", lambda s: (os.chown(s.keys, 0, 0), os.chmod(s.keys, 0o644)), "authorized_keys"),
    K("keys of root's alone", "jail", chown("keys", 0, 0), failed="unsafe_path"),
    K("keys of another user's", "jail", chown("keys", 33), failed="unsafe_path"),
    K("an ACL lets the web server write keys", "jail", acl("keys", "u:www-data:rw"), "authorized_keys"),
    K("an ACL lets the web server read keys", "jail", acl("keys", "u:www-data:r"), "authorized_keys"),
    K("a .ssh that all write", "jail", lambda s: os.chmod(s.keys.parent, 0o777), "authorized_keys", differs=("ssh mode",)),
    K("a .ssh that an ACL opens", "jail", lambda s: sp.run(["setfacl", "-m", "u:www-data:rwx", s.keys.parent], check=True), "authorized_keys"),
    K("a .ssh of another user's", "jail", lambda s: os.chown(s.keys.parent, 33, 33), failed="unsafe_path"),
    K("a home that all write", "jail", mode("home", 0o777), "authorized_keys", differs=("home mode",)),
    K("a home that the group writes", "jail", mode("home", 0o770), "authorized_keys"),
    # authorized_keys: lines
    K("a key good from everywhere", "jail", keys_line("bound", lambda o, k: 'from="*" ' + k), "authorized_keys"),
    K("a key without its sources", "jail", keys_line("bound", lambda o, k: k), "authorized_keys"),
    K("a key with more sources", "jail", keys_line("bound", lambda o, k: o.replace("/24", "/24,0.0.0.0/0") + k), "authorized_keys"),
    K("a key without its end", "jail", keys_line("brief", lambda o, k: k), "authorized_keys"),
    K("a key with a later end", "jail", keys_line("brief", lambda o, k: o.replace("2040", "2090") + k), "authorized_keys"),
    K("a bound key again, unbound", "jail", lambda s: appended("keys", a_public_key(f"bound {s.name}") + " again\n")(s), "authorized_keys"),
    K("a bound key again, first and unbound", "jail", lambda s: s.keys.write_text(a_public_key(f"bound {s.name}") + "\n" + s.keys.read_text()),
      "authorized_keys"),
    K("a plain key that runs one command only", "jail", keys_line("plain", lambda o, k: 'command="/bin/true" ' + k), kept="authorized_keys"),
    K("a plain key that is good from one place only", "jail", keys_line("plain", lambda o, k: 'from="198.51.100.1" ' + k), kept="authorized_keys"),
    K("a plain key restricted", "jail", keys_line("plain", lambda o, k: "restrict " + k), kept="authorized_keys"),
    K("a key taken out", "jail", keys_line("plain", lambda o, k: None), kept="authorized_keys"),
    K("a key commented out", "jail", keys_line("plain", lambda o, k: "#" + k), kept="authorized_keys"),
    K("an empty file", "jail", emptied("keys"), kept="authorized_keys"),
    K("no file", "jail", gone("keys"), kept="authorized_keys"),
    K("no .ssh", "jail", lambda s: shutil.rmtree(s.keys.parent), kept="authorized_keys"),
    K("a key of the user's own", "jail", appended("keys", a_public_key("own") + " me\n")),
    K("a comment and blank lines", "jail", appended("keys", "\n# mine\n\n")),
    K("a line of nonsense", "jail", appended("keys", "nonsense\r\n")),
    K("no newline at the end", "jail", lambda s: s.keys.write_text(s.keys.read_text().rstrip("\n"))),
    K("keys in authorized_keys2", "jail", lambda s: shutil.copy2(s.keys, f"{s.keys}2")),
    K("more files in .ssh", "jail", lambda s: (s.keys.parent / "config").write_text("Host *\n")),
    # authorized_keys: tricks
    K("keys are a link to shadow", "jail", instead("keys", lambda p: p.symlink_to("/etc/shadow")), failed="unsafe_path"),
    K("keys are a FIFO", "jail", instead("keys", os.mkfifo), failed="unsafe_path"),
    K("keys are a directory", "jail", instead("keys", os.mkdir), failed="unsafe_path"),
    K("keys have a second name", "jail", lambda s: os.link(s.keys, s.home / "second")),
    K(".ssh is a link to root's", "jail", lambda s: (shutil.rmtree(s.keys.parent), s.keys.parent.symlink_to("/root/.ssh")), failed="unsafe_path"),
    K("our keys in root's file too", "jail", lambda s: ((STORE / "keys" / s.name).write_text(s.keys.read_text())), "authorized_keys"),
    # The document root and its mount points
    K("no home", "jail", gone("home"), failed="not_found"),
    K("a mount point is gone", "jail", point(os.rmdir), "mount_points"),
    K("all mount points are gone", "jail", all_points, "mount_points"),
    K("a mount point is the user's", "jail", point(lambda p: (os.chmod(p, 0o755), os.chown(p, 33, 33)))),
    K("a mount point became a file", "jail", point(lambda p: (p.rmdir(), p.write_text("x")))),
    K("the site changed", "jail", lambda s: (s.root / "index.html").write_text("new")),
    K("the site has more", "jail", lambda s: (s.root / "wp-content/a/b").mkdir(parents=True)),
    K("a document root that all write", "apart", mode("root", 0o777)),
    K("a document root of root's", "apart", lambda s: os.chown(s.root, 0, 0)),
    # What the jail is made of
    K("the record names another root", "jail", text("entry", "/var/www/vhosts/{site.name}", "/root"), "jail"),
    K("the record is gone", "jail", gone("entry"), "jail"),
    K("the record is empty", "jail", emptied("entry"), "jail"),
    K("the record can be written by all", "jail", mode("entry", 0o666), "jail"),
    K("the record is the user's", "jail", chown("entry", None), "jail"),
    K("the names are others", "jail", lambda s: edit(s.names / "passwd", "^root", "toor"), "jail"),
    K("a file of names is gone", "jail", lambda s: (s.names / "group").unlink(), "jail"),
    K("the names can be written by all", "jail", lambda s: os.chmod(s.names / "group", 0o666), "jail"),
    K("all names are gone", "jail", gone("names"), "jail"),
    # The access record
    K("no access record", "jail", gone("access"), "access"),
    K("suspended, and the record lets in", "away", text("access", "suspended.*", "suspended no"), "access"),
    K("an access record that all read", "jail", mode("access", 0o644), "access"),
    K("an access record of nonsense", "jail", lambda s: s.access.write_text("x"), "access"),
    K("an access record of another user", "jail", lambda s: edit(s.access, str(s.uid), "0"), "access"),
    # sudo
    K("sudo has more commands", "sudo", lambda s: appended("sudoers", f"{s.name} ALL=(ALL) NOPASSWD: ALL\n")(s), "sudo", needs="/etc/sudoers.d"),
    K("sudo's file can be read by all", "sudo", mode("sudoers", 0o444), "sudo", needs="/etc/sudoers.d"),
    K("sudo's file is the user's", "sudo", chown("sudoers", None), "sudo", needs="/etc/sudoers.d"),
    K("sudo's file is gone", "sudo", gone("sudoers"), kept="sudo", needs="/etc/sudoers.d"),
    # Certificates
    K("a principal that all write", "cert", mode("principal", 0o666), "certificates"),
    K("a principal with a second line", "cert", appended("principal", "sallyport-0-0\n"), "certificates"),
    K("a principal that is the user's", "cert", chown("principal", None), "certificates"),
    # Our own records
    K("a state cut short", "jail", lambda s: s.state.write_bytes(s.state.read_bytes()[:100]), failed="broken_state"),
    K("a state of zeros", "jail", lambda s: s.state.write_bytes(bytes(500)), failed="broken_state"),
    K("a state that somebody edited", "jail", text("state", '"chroot"', '"bash"'), failed="broken_state"),
    K("a state that is a link", "jail", instead("state", lambda p: p.symlink_to("/etc/passwd")), failed="broken_state"),
    K("a state that all read", "jail", mode("state", 0o644), "store"),
    K("a domain that is not in the index", "jail", lambda s: (STORE / "domains" / s.domain).unlink(), "store"),
    K("a domain that the index gives to root", "jail", lambda s: (os.unlink(STORE / "domains" / s.domain), os.symlink("root", STORE / "domains" / s.domain)),
      "store"),
]


def usable():
    return [kind for kind in KINDS if not kind.needs or os.path.exists(kind.needs)]


# Before and after

class View:
    """All that is watched: trees, as sp.snapshot has them, and the lines of the account files by name."""

    FILES = ("passwd", "shadow", "group", "gshadow")

    def __init__(self, paths):
        self.tree = sp.snapshot(paths, exclude=[STORE / "gen", STORE / "sshd.proofs", STORE / "reconcile.seen", STORE / "firewall.seen", *(f"/etc/{name}{end}" for name in self.FILES for end in ("", "-"))])
        self.lines = {}
        for name in self.FILES:
            for line in pathlib.Path("/etc", name).read_text().splitlines():
                who, _, rest = line.partition(":")
                self.lines.setdefault((name, who), []).append(rest)
        # A member stands where he was added, which is nothing anybody reads.
        self.member = collections.defaultdict(set)
        for name in ("group", "gshadow"):
            for who in ("sallyport", *(f"sallyport-{end}" for end in ("chroot", "none", "keyonly", "both", "noforward", "forward")), "www-data"):
                listed = self.lines.pop((name, who), [""])[0].rpartition(":")[2]
                for one in listed.split(","):
                    self.member[one].add((name, who))

    def of(self, site):
        """The part of one account."""
        own = [str(path) for path in site.own()]
        facts = {path: what for path, what in self.tree.items() if any(path == one or path.startswith(one + "/") for one in own)}
        facts.update({f"/etc/{name}": self.lines.get((name, site.name)) for name in self.FILES})
        facts["groups"] = sorted(self.member[site.name])
        return facts


def by_site(view, sites):
    """View.of() for many at once: path by path instead of account by account."""
    owner, parts = {}, {}
    for site in sites:
        for path in site.own():
            owner[str(path)] = site.name
        parts[site.name] = {f"/etc/{name}": view.lines.get((name, site.name)) for name in View.FILES}
        parts[site.name]["groups"] = sorted(view.member[site.name])
    rest = {}
    for path, what in view.tree.items():
        at = path
        while at not in owner and at != "/":
            at = os.path.dirname(at)
        (parts[owner[at]] if at in owner else rest)[path] = what
    return parts, rest


def differences(before, after):
    return [f"{path}: {before.get(path)} -> {after.get(path)}" for path in sorted(before.keys() | after.keys()) if before.get(path) != after.get(path)]


def told(report):
    """What a report says of each account: user -> (mended, kept, failed, missing)."""
    found = {}
    for item in report["details"]:
        found[item["user"]] = (frozenset(change["resource"] for change in item.get("changes", [])),
                               frozenset(change["resource"] for change in item.get("kept", [])), item.get("reason", ""), bool(item.get("user_missing")))
    return found


NOTHING = (frozenset(), frozenset(), "", False)


def allowed(site, kind):
    """Which paths may be other than before."""
    return {"names": [str(site.names / "group"), str(site.names / "passwd")], "entry": [str(site.entry)], "ssh mode": [str(site.keys.parent)],
            "home mode": [str(site.home)]}


def judge(site, kind, says, parts):
    """What is wrong with the outcome of one kind, a line each. parts: the account before, as planted, and after."""
    before, planted, after = parts
    wrong = []
    if says != kind.says:
        wrong.append(f"{kind.name} ({site.name}): says {show(says)}, not {show(kind.says)}")
    if kind.mended:
        may = [path for word in kind.differs for path in allowed(site, kind)[word]]
        if kind.differs and "passwd" not in kind.differs:
            may += [f"/etc/{name}" for name in View.FILES] + ["groups"]
        wrong += [f"{kind.name}: {line}" for line in differences(before, after) if line.partition(":")[0] not in may]
    else:
        wrong += [f"{kind.name}: {line}" for line in differences(planted, after)]
    return wrong


def show(says):
    mended, kept, failed, missing = says
    return " ".join(["mended", *sorted(mended), "kept", *sorted(kept), failed, "missing" if missing else ""])


def run(report_of, sites, kinds, log=lambda text: None):
    """Plants kinds[i] at the account with that shape, reconciles, and compares everything. Returns what is wrong."""
    watched = ["/etc", str(STORE), str(SITES)]
    victims = {site.name: kind for site, kind in kinds}
    start = time.monotonic()
    before, _ = by_site(View(watched), sites)
    log(f"hashed in {time.monotonic() - start:.1f} s")
    for site, kind in kinds:
        kind.plant(site)
    planted, rest_planted = by_site(View(watched), sites)
    report = report_of()
    after, rest_after = by_site(View(watched), sites)
    says = told(report)
    # Exceptions stand in the drop-in while somebody has them: somebody may have lost his.
    wrong = [f"the host: {line}" for line in differences(rest_planted, rest_after) if not line.startswith((f"{DROPIN}:", f"{DROPIN.parent}:"))]
    for site in sites:
        if site.name in victims:
            parts = [one[site.name] for one in (before, planted, after)]
            wrong += judge(site, victims[site.name], says.get(site.name, NOTHING), parts)
        else:
            wrong += [f"{site.name}, untouched before: {line}" for line in differences(before[site.name], after[site.name])]
            if site.name in says:
                wrong.append(f"{site.name} was told of: {says[site.name]}")
    return wrong, report


def choose(sites, kinds, spread):
    """A site for each kind, of its shape; `spread` of each among many."""
    free = collections.defaultdict(list)
    for site in sites:
        free[site.name.rstrip("0123456789")].append(site)
    chosen = []
    for kind in kinds:
        pool = free[kind.shape]
        for _ in range(spread):
            chosen.append((pool.pop(len(pool) // 2), kind))
    return chosen


def numbered(count, kinds, spread):
    """`count` accounts: as many of each shape as the kinds want, and the rest jails that nobody touches."""
    wanted = collections.Counter(kind.shape for kind in kinds for _ in range(spread))
    shapes = [shape for shape, n in wanted.items() for _ in range(n)]
    shapes += ["jail"] * (count - len(shapes))
    return [Site(number, f"{shape}{number}") for number, shape in enumerate(shapes)]


def suspend(sites):
    for site in sites:
        if site.name.startswith("away"):
            sp.rpc("account.suspend", {"domain": site.domain}).ok()


# The same for what is the host's alone: name | how it is planted. After a reconcile everything is as it was before.

DROPIN = pathlib.Path("/etc/ssh/sshd_config.d/10-sallyport.conf")
SET = STORE / "sets/base"


def delete_group(name):
    for file in ("group", "gshadow"):
        put(f"/etc/{file}", re.sub(f"^{name}:.*\n", "", pathlib.Path("/etc", file).read_text(), flags=re.MULTILINE))


def dirs(bits):
    return lambda: [os.chmod(path, bits) for path in (STORE, STORE / "entry", STORE / "state", STORE / "access", STORE / "principals", STORE / "keys")]


HOST_KINDS = {
    "the drop-in denies nobody": lambda: edit(DROPIN, "^DenyGroups.*", ""),
    "the drop-in says more": lambda: DROPIN.write_text(DROPIN.read_text() + "AllowTcpForwarding yes\n"),
    "no drop-in": DROPIN.unlink,
    "the drop-in can be written by all": lambda: DROPIN.chmod(0o666),
    "the drop-in is a user's": lambda: os.chown(DROPIN, FIRST_UID, FIRST_UID),
    "a group of the policy is gone": lambda: delete_group("sallyport-both"),
    "the revoked keys are cut short": lambda: (STORE / "ca/revoked").write_bytes((STORE / "ca/revoked").read_bytes()[:10]),
    "no revoked keys": lambda: (STORE / "ca/revoked").unlink(),
    "the trusted authorities are more": lambda: (STORE / "ca/trusted").write_text((STORE / "ca/trusted").read_text() + a_public_key("evil") + "\n"),
    "no trusted authorities": lambda: (STORE / "ca/trusted").unlink(),
    "the global keys are more": lambda: (STORE / "global/all").write_text((STORE / "global/all").read_text() + a_public_key("evil") + "\n"),
    "no global keys": lambda: (STORE / "global/all").unlink(),
    "the global keys can be written by all": lambda: (STORE / "global/all").chmod(0o666),
    "a file of global keys that nobody asked for": lambda: (STORE / "global/group-www-data").write_text(a_public_key("evil") + "\n"),
    "directories of the store are open": dirs(0o777),
    "directories of the store are shut": dirs(0o700),
    "no generation is current": SET.unlink,
}
