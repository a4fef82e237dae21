# SPDX-License-Identifier: GPL-3.0-or-later
"""The host as a value: everything that an operation may leave behind, told in what two moments differ, and put back.

Each file, link and directory below ROOTS with owner, mode, ACL, xattrs and content, and nftables' rules. A sweep puts the
host back thousands of times: what was not touched is not read again (its inode's ctime tells)."""

import collections
import json
import os
import pathlib
import re
import shutil
import stat

import sp
from sp_safety import STORE

GENERATIONS, MAPS = f"{STORE}/gen", "/run/sallyport/idmap"
ROOTS = ("/etc", STORE, "/srv")
# Where something of ours lies below /etc. The rest, a thousand files of others', is compared once, at the end.
OURS = {f"/etc/{name}" for name in ("sallyport", "ssh", "sudoers.d", "systemd", "pam.d", "security", "tmpfiles.d")}
DATABASES = ("/etc/passwd", "/etc/group", "/etc/gshadow", "/etc/shadow")

Entry = collections.namedtuple("Entry", "mode uid gid content xattrs")
State = collections.namedtuple("State", "files rules")


def unfinished(path):
    """A file that is being written: the next request clears it away."""
    return (path.endswith((".sallyport", ".tmp", ".new", "/.tmp-build", "/state/sudoers.check", "/etc/nshadow", "/ca/new", "/ca/new.pub"))
            or "/sallyport/domains/." in path)


def _read(path, info):
    content = b""
    if stat.S_ISREG(info.st_mode):
        content = pathlib.Path(path).read_bytes()
    elif stat.S_ISLNK(info.st_mode):
        content = os.readlink(path).encode()
    names = os.listxattr(path, follow_symlinks=False)
    return Entry(info.st_mode, info.st_uid, info.st_gid, content,
                 tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in sorted(names)))


class Host:
    """What stands there, remembered from one look to the next."""

    def __init__(self):
        self.cache = {}

    def _look(self, path, info, found):
        mark = (info.st_ino, info.st_mode, info.st_uid, info.st_gid, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
        known = self.cache.get(path)
        if known is None or known[0] != mark:
            known = self.cache[path] = (mark, _read(path, info))
        found[path] = known[1]

    @staticmethod
    def is_looked_into(path):
        """A generation is never changed, only made and taken away."""
        folder = os.path.dirname(path)
        return path in OURS if folder == "/etc" else folder != GENERATIONS

    def files(self):
        found, todo = {}, list(ROOTS)
        for root in ROOTS:
            self._look(root, os.lstat(root), found)
        while todo:
            for item in os.scandir(todo.pop()):
                if item.path == "/etc/.pwd.lock":
                    continue
                info = item.stat(follow_symlinks=False)
                self._look(item.path, info, found)
                if stat.S_ISDIR(info.st_mode) and self.is_looked_into(item.path):
                    todo.append(item.path)
        return found

    def look(self, with_rules):
        return State(self.files(), sp.run(["nft", "list", "ruleset"], check=True).stdout if with_rules else "")

    def put_back(self, old, now=None, with_rules=True):
        """The host as it was then; `now` is how it is."""
        now = (now or self.look(False)).files
        for path in sorted(now.keys() - old.files.keys(), reverse=True):
            if path not in now or any(path.startswith(folder + "/") for folder in now if folder not in old.files and folder.startswith(GENERATIONS)):
                continue
            _remove(path)
        for path in sorted(old.files):
            if now.get(path) is not old.files[path] and now.get(path) != old.files[path]:
                _write(path, old.files[path], now.get(path))
        if with_rules:
            sp.run(["nft", "-f", "-"], input="flush ruleset\n" + old.rules, check=True)
        now = self.files()
        wrong = [path for path in now.keys() | old.files.keys() if now.get(path) != old.files.get(path)]
        assert not wrong, f"could not be put back: {wrong[:5]}"


def _remove(path):
    if os.path.islink(path) or not os.path.isdir(path):
        os.unlink(path)
    elif path.startswith(GENERATIONS):
        shutil.rmtree(path)
    else:
        os.rmdir(path)


def _write(path, entry, now):
    kind = stat.S_IFMT(entry.mode)
    if now is not None and stat.S_IFMT(now.mode) != kind:
        shutil.rmtree(path) if stat.S_ISDIR(now.mode) else os.unlink(path)
    made = path
    if kind == stat.S_IFDIR:
        assert not path.startswith(GENERATIONS + "/"), f"{path} is gone"
        os.makedirs(path, exist_ok=True)
    elif kind == stat.S_IFLNK:
        made = path + ".putback"
        os.symlink(entry.content, made)
    else:
        made = path + ".putback"
        pathlib.Path(made).write_bytes(entry.content)
    os.chown(made, entry.uid, entry.gid, follow_symlinks=False)
    if kind != stat.S_IFLNK:
        for name in set(os.listxattr(made)) - {name for name, _ in entry.xattrs}:
            os.removexattr(made, name)
        for name, value in entry.xattrs:
            os.setxattr(made, name, value)
        os.chmod(made, stat.S_IMODE(entry.mode))
    if made != path:
        os.rename(made, path)


# What two runs of the same request may tell differently

def _json(content):
    """The record without its checksum, its counter and the times at which something was done."""
    def plain(value):
        if isinstance(value, dict):
            return {key: plain(one) for key, one in value.items()
                    if key not in ("generation", "added_at", "removed_at", "at", "token", "deadline", "expires_at", "checksum", "added_by")}
        return [plain(one) for one in value] if isinstance(value, list) else value

    return json.dumps(plain(json.loads(content.split(b"\n")[0]))).encode()


standing = set()  # the generations that were there where the operation begins


def _generation(content):
    """One that is built anew has another name each time."""
    return content if os.path.basename(content).decode() in standing else b"(a new generation)"


_revoked = {}


def _krl(content):
    """Which serials sshd turns away by it."""
    if content not in _revoked:
        path = sp.WORK / "krl"
        path.write_bytes(content)
        _revoked[content] = sp.run(["ssh-keygen", "-Q", "-l", "-f", path]).stdout
    return "\n".join(line for line in _revoked[content].splitlines() if line.startswith("serial")).encode()


MATTERS_NOT = re.compile(rf"{STORE}/(sshd\.proofs|reconcile\.seen|firewall\.seen|state/generation|ca/revoked\.sum|gen/[0-9a-f]{{64}})|/etc/(passwd|group|gshadow|shadow)-")
PLAIN = ((re.compile(rf"{STORE}/ca/revoked(\.made)?"), _krl),
         (re.compile(rf"{STORE}/ca/issued"), lambda content: re.sub(rb"\b(\d{10}|[0-9a-f]{32})\b", b"N", content)),
         (re.compile(rf"{STORE}/sets/.*"), _generation),
         (re.compile(rf"{STORE}/principals/.*"), lambda content: b"(random)" if content else b""),
         (re.compile(rf"{STORE}/ca/(\d+(\.pub)?|trusted)"), lambda content: b"(random) %d" % content.count(b"\n")),
         (re.compile(rf"{STORE}/logins/.*log"), lambda content: re.sub(rb"\d{4}-\d\d-\d\dT[0-9:]+Z|\b\d{10}\b", b"N", content)),
         (re.compile(r"/etc/shadow"), lambda content: re.sub(rb":\$[^:]*:", b":$:", content)))


# A login that is begun anew has the next uid: no number is given a second time soon.
LOGIN_UID = re.compile(rb"\b7000\d\b")


def _alike(files):
    """The files by path, an extra login's number the same in all."""
    if not any("/7000" in path for path in files):
        return files
    return {re.sub(r"/7000\d\b", "/70000", path): entry for path, entry in files.items()}


def plain(path, entry):
    """An entry without what time and chance make different."""
    if entry is None or MATTERS_NOT.fullmatch(path):
        return None
    entry = entry._replace(uid=min(entry.uid, 70000), gid=min(entry.gid, 70000))
    if stat.S_ISDIR(entry.mode):
        return entry
    content = LOGIN_UID.sub(b"70000", entry.content)
    if path.startswith(STORE) and content.startswith(b"{"):
        try:
            content = _json(content)
        except ValueError:
            pass
    for pattern, how in PLAIN:
        if pattern.fullmatch(path):
            content = how(content)
    return entry._replace(content=content)


def plain_rules(text):
    return re.sub(r" expires \S+|packets \d+ bytes \d+|# handle \d+", "", text)


def delta(old, now):
    """What is not as it was: path -> how it is now, as far as it matters."""
    found, was, stands = {}, _alike(old.files), _alike(now.files)
    for path in was.keys() | stands.keys():
        before, after = was.get(path), stands.get(path)
        if before is not after and before != after and plain(path, before) != plain(path, after):
            found[path] = plain(path, after)
    if plain_rules(old.rules) != plain_rules(now.rules):
        found["nftables"] = plain_rules(now.rules)
    return found


def tell(found):
    """A delta in words."""
    return [f"{path}: {one if one is None or isinstance(one, str) else one._replace(content=one.content[-400:])}" for path, one in sorted(found.items())]
