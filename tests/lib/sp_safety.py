# SPDX-License-Identifier: GPL-3.0-or-later
"""What the safety tests share: the contract of a refusal, and the proof that one wrote nothing."""

import contextlib
import json
import os
import stat

import sp

# reason -> JSON-RPC code, exit status: what panels were promised (sallyport-request(5)), not what the code says today.
CODES = {
    "parse_error": (-32700, 2), "invalid_request": (-32600, 3), "method_not_found": (-32601, 4),
    "invalid": (-32602, 5), "forbidden": (-32001, 6), "not_found": (-32002, 7), "conflict": (-32003, 8),
    "unsafe_path": (-32010, 9), "busy": (-32011, 10), "unsupported": (-32012, 11), "not_in_force": (-32013, 12),
    "lockout": (-32014, 13), "broken_state": (-32015, 14), "rejected": (-32016, 15), "io": (-32017, 16),
    "no_memory": (-32018, 17), "internal": (-32603, 1),
}
STORE = "/var/lib/sallyport"
# What root trusts and what we keep; a test adds the homes it uses.
WATCHED = ("/etc", STORE, "/root/.ssh")


def refused(answer, reason, field=None):
    """The answer is this refusal, whole: code, field, text, hint and exit status. `reason` may be a set of names."""
    assert answer.error is not None, f"accepted: {answer.body}"
    allowed = {reason} if isinstance(reason, str) else set(reason)
    assert answer.reason in allowed, f"{answer.reason}, not {sorted(allowed)}: {answer.body}"
    code, status = CODES[answer.reason]
    data = answer.error["data"]
    assert (answer.error["code"], answer.exit) == (code, status), answer
    assert answer.error["message"], answer.body
    assert data["hint"], f"no hint: {answer.body}"
    if field is not None:
        assert data["field"] == field, f"field {data['field']!r}, not {field!r}: {answer.body}"
    assert all(char.isprintable() for char in answer.error["message"] + data["hint"] + data["field"]), answer.raw
    assert answer.stderr == "", answer.stderr
    return answer.error


def _marks(paths):
    """Each entry's inode, size and times. Every change of content, owner, mode, ACL or xattr moves the ctime."""
    marks, todo = {}, [str(path) for path in paths]
    while todo:
        path = todo.pop()
        if not os.path.lexists(path):
            continue
        info = os.lstat(path)
        marks[path] = (info.st_ino, info.st_mode, info.st_uid, info.st_gid, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
        if stat.S_ISDIR(info.st_mode):
            todo += [os.path.join(path, name) for name in os.listdir(path)]
    return marks


@contextlib.contextmanager
def nothing_written(*more, watched=WATCHED):
    """Within, nothing watched changes: not its content, owner, mode, ACL, xattrs, inode nor mtime."""
    paths = [*watched, *more]
    before = _marks(paths)
    yield
    after = _marks(paths)
    differences = [f"{path}: {before.get(path)} -> {after.get(path)}" for path in sorted(before.keys() | after.keys())
                   if before.get(path) != after.get(path)]
    assert differences == [], "\n".join(differences)


def apply(user, **params):
    """domain.apply with what a first request must name."""
    return sp.rpc("domain.apply", {"domain": user.domain, "user": user.name, "document_root": user.docroot, **params})


def managed(shell="bash", keys=(), **how):
    """A user with access from sallyport."""
    user = sp.make_user(**how)
    apply(user, shell=shell, authorized_keys=[{"key": key.public} for key in keys or (sp.keypair(),)]).ok()
    return user


def request(method="domain.get", params=None, **more):
    return {"jsonrpc": "2.0", "id": "test", "method": method, "params": params or {}, **more}


def batch(*requests):
    return sp.rpc_raw(json.dumps(list(requests)))


def get(user):
    return sp.rpc("domain.get", {"domain": user.domain}).ok()


def in_force(user):
    """Asked for and in force are the same: the second plan is empty."""
    shown = get(user)
    assert shown["in_force"] and not shown["pending"] and shown["drift"] == [], shown
    return shown


def leftovers(*roots):
    """Temporary files of ours, and shadow's lock files: nothing of this may outlive a request."""
    found = []
    for root in roots or ("/etc", STORE):
        for folder, folders, files in os.walk(root):
            if folder == f"{STORE}/gen":
                folders.clear()
            for name in folders + files:
                if name.endswith((".sallyport", ".tmp", ".new")) or (folder == "/etc" and name in (
                        "passwd.lock", "group.lock", "gshadow.lock", "shadow.lock", "ptmp", "gtmp")):
                    found.append(os.path.join(folder, name))
    return found
