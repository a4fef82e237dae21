# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/table, safety 13, 14, 35, 45 and 47: the account files, their lock, and hostile callers."""

import fcntl
import json
import os
import pathlib
import resource
import signal
import subprocess
import time

import pytest

import sp
from sp_safety import apply, get, in_force, leftovers, managed, nothing_written, refused, request

ETC = pathlib.Path("/etc")


@pytest.fixture
def files():
    """/etc/passwd, group and gshadow come back as they were."""
    names = ("passwd", "group", "gshadow")
    old = {name: (ETC / name).read_bytes() for name in names}
    yield ETC
    for name, content in old.items():
        (ETC / name).write_bytes(content)


def append(path, content):
    with open(path, "ab") as file:
        file.write(content)


# 13

@pytest.mark.parametrize("shell, path", [("bash", "/bin/bash"), ("chroot", sp.CHROOT_BASH)])
def test_safety_13_a_shell_that_is_missing_is_never_written(host, shell, path):
    user = sp.make_user()
    real = os.path.realpath(path)
    os.rename(real, real + ".away")
    try:
        error = refused(apply(user, shell=shell, authorized_keys=[{"key": sp.keypair().public}]), {"unsupported", "not_found", "not_in_force"})
        assert path in error["message"] + error["data"]["hint"], error
        assert f"{user.name}:" in (ETC / "passwd").read_text()
        assert sp.run(["getent", "passwd", user.name]).stdout.strip().endswith(":/bin/false")
    finally:
        os.rename(real + ".away", real)
    apply(user, shell=shell, authorized_keys=[{"key": sp.keypair().public}]).ok()
    assert sp.ssh(user, "echo in").stdout == "in\n"


# 14

def test_safety_14_a_duplicate_passwd_line_is_refused(host, files):
    user = sp.make_user()
    line = sp.run(["getent", "passwd", user.name]).stdout
    append(files / "passwd", line.encode())
    with nothing_written(user.home):
        refused(apply(user, shell="bash"), {"conflict", "broken_state", "invalid"}, "params.user")


def test_safety_14_a_duplicate_line_that_comes_later_stops_every_change(host, files):
    user = managed("chroot")
    line = sp.run(["getent", "passwd", user.name]).stdout.replace(sp.CHROOT_BASH, "/bin/sh")
    append(files / "passwd", line.encode())
    before = (files / "passwd").read_bytes()
    refused(sp.rpc("domain.apply", {"domain": user.domain, "shell": "bash"}), {"conflict", "broken_state", "invalid"})
    assert (files / "passwd").read_bytes() == before


NEIGHBOURS = {
    "passwd": b"bad line without fields\n:x:0:0::/:/bin/sh\n+\n+@netgroup::::::\n# comment\nshort:x:1\nlong:x:5000:5000:a:b:c:d:e\nuid:x:abc:1::/:/bin/sh\n"
              b"latin:x:5001:5001:M\xfcller:/home/latin:/bin/sh\nempty:x:5002:5002::/home/empty:\n\nnul-free:x:5003:5003:,,,:/x:/bin/sh\r\n",
    "group": b"bad group\n+\n# note\nhalf:x\nodd:x:abc:a,b\nmany:x:6000:a,,b,\nm\xfc:x:6001:\n\n",
    "gshadow": b"bad group\n# note\nhalf:!\nmany:!:a:,b\n",
}


@pytest.mark.parametrize("final", [b"\n", b""])
def test_safety_14_malformed_neighbours_are_kept_byte_for_byte(host, files, final):
    user = sp.make_user()
    for name, lines in NEIGHBOURS.items():
        content = (files / name).read_bytes().splitlines(keepends=True)
        (files / name).write_bytes(b"".join(content[:2]) + lines + b"".join(content[2:]).rstrip(b"\n") + final)
    before = {name: (files / name).read_bytes() for name in NEIGHBOURS}
    for shell in ("bash", "chroot", "none"):
        apply(user, shell=shell, authorized_keys=[{"key": sp.keypair().public}]).ok()
        for name, lines in NEIGHBOURS.items():
            now = (files / name).read_bytes()
            assert lines in now, name
            others = [line for line in now.splitlines() if user.name.encode() not in line and not line.startswith(b"sallyport")]
            assert others == [line for line in before[name].splitlines() if user.name.encode() not in line and not line.startswith(b"sallyport")]
    sp.rpc("domain.remove", {"domain": user.domain}).ok()
    for name in NEIGHBOURS:
        assert (files / name).read_bytes().rstrip(b"\n") == before[name].rstrip(b"\n"), name


@pytest.mark.parametrize("name", ["passwd", "group", "gshadow"])
def test_safety_14_mode_owner_and_backup_are_kept(host, name):
    before = os.stat(ETC / name)
    old = (ETC / name).read_bytes()
    user = managed("chroot")
    after = os.stat(ETC / name)
    assert (before.st_mode, before.st_uid, before.st_gid) == (after.st_mode, after.st_uid, after.st_gid)
    assert (ETC / f"{name}-").exists() and old is not None
    assert oct(os.stat(ETC / f"{name}-").st_mode & 0o077 & ~after.st_mode) == "0o0"
    in_force(user)


# 35

def test_safety_35_a_held_account_lock_is_busy_and_nothing_is_half_done(host):
    user = managed("chroot")
    with open("/etc/.pwd.lock", "ab") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        before = [(ETC / name).read_bytes() for name in ("passwd", "group", "gshadow", "shadow")]
        started = time.monotonic()
        refused(sp.rpc("domain.apply", {"domain": user.domain, "shell": "bash", "authorized_keys": []}), "busy")
        assert time.monotonic() - started < 25 * sp.PATIENCE
        assert [(ETC / name).read_bytes() for name in ("passwd", "group", "gshadow", "shadow")] == before
        shown = get(user)
        assert shown["shell"] == "chroot" and not shown["in_force"]
    sp.rpc("domain.apply", {"domain": user.domain, "shell": "bash", "authorized_keys": []}).ok()
    assert in_force(user)["shell"] == "bash"


def test_safety_35_an_account_that_another_request_holds_is_busy_alone(host):
    user, other = managed("bash"), managed("bash")
    with open(f"/var/lib/sallyport/state/{user.name}.lock", "rb+") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        slow = subprocess.Popen([sp.HELPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        slow.stdin.write(json.dumps(request("domain.apply", {"domain": user.domain, "shell": "none"})).encode())
        slow.stdin.close()
        sp.rpc("domain.apply", {"domain": other.domain, "shell": "none"}).ok()
        assert get(user)["shell"] == "bash"
        answer = json.loads(slow.stdout.read())
        assert answer["error"]["data"]["reason"] == "busy" and slow.wait(30) == 10
    assert get(user)["shell"] == "bash"


def test_safety_33_a_stale_lock_file_of_shadow_stops_nobody_and_is_left(host):
    user = managed("bash")
    stale = ETC / "passwd.lock"
    stale.write_text("999999999")
    try:
        sp.rpc("domain.apply", {"domain": user.domain, "shell": "none"}).ok()
        assert stale.read_text() == "999999999"
    finally:
        stale.unlink()


# 45

def test_safety_45_a_caller_who_does_not_read_the_answer_leaves_no_lock(host):
    user = managed("bash")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sp.HELPER], input=json.dumps(request("domain.apply", {"domain": user.domain, "shell": "none"})).encode(),
                          stdout=writer, stderr=subprocess.PIPE, timeout=30)
    os.close(writer)
    assert done.returncode == 16 and done.stderr == b"", done
    assert in_force(user)["shell"] == "none"
    sp.rpc("domain.apply", {"domain": user.domain, "shell": "bash"}).ok()


def test_safety_45_an_answer_that_nobody_takes_holds_no_lock(host):
    """The pipe is full: the helper waits, and others do not."""
    user = managed("bash")
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    while True:
        try:
            os.write(writer, b"x" * 4096)
        except BlockingIOError:
            break
    os.set_blocking(writer, True)
    stuck = subprocess.Popen([sp.HELPER], stdin=subprocess.PIPE, stdout=writer)
    stuck.stdin.write(json.dumps(request("domain.apply", {"domain": user.domain, "shell": "none"})).encode())
    stuck.stdin.close()
    sp.wait_for(lambda: get(user)["shell"] == "none" and get(user)["in_force"], what="the change")
    sp.rpc("domain.apply", {"domain": user.domain, "shell": "bash"}).ok()
    assert stuck.poll() is None
    stuck.kill()
    stuck.wait()
    os.close(reader)
    os.close(writer)


# 47

def test_safety_47_argc_0_is_refused(host):
    program = ("import ctypes, os\nlibc = ctypes.CDLL(None)\nargv = (ctypes.c_char_p * 1)(None)\n"
               f"libc.execve(b'{sp.HELPER}', argv, (ctypes.c_char_p * 2)(b'PATH=/tmp', None))")
    done = sp.run(["/usr/bin/python3", "-I", "-c", program], input=json.dumps(request("domain.list")))
    # Linux 5.18 and later puts an empty string there: then it is an ordinary call.
    assert done.rc in (0, 1) and (done.rc == 1 or "result" in sp.strict_json(done.stdout)), done


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """An environment of traps: each would leave a file."""
    folder = tmp_path_factory.mktemp("traps")
    trap = folder / "sprung"
    script = f"#!/bin/sh\ntouch {trap}\n"
    for name in ("sshd", "groupadd", "sh", "bash", "nft", "useradd", "ldconfig", "unix_update", "id"):
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    (folder / "rc").write_text(f"touch {trap}\n")
    source = folder / "trap.c"
    source.write_text(f'#include <fcntl.h>\n#include <unistd.h>\n__attribute__((constructor)) static void spring(void)'
                      f'{{ close(open("{trap}", O_CREAT | O_WRONLY, 0600)); }}\nvoid gconv_init(void) {{ spring(); }}\n')
    sp.run(["gcc", "-shared", "-fPIC", "-o", folder / "trap.so", source], check=True)
    (folder / "gconv-modules").write_text("module UTF-8// INTERNAL trap 1\n")
    # The dynamic linker itself heeds LD_PRELOAD for root's own call; what the helper starts must not see it.
    return trap, {"PATH": str(folder), "BASH_ENV": str(folder / "rc"), "ENV": str(folder / "rc"), "IFS": "/", "GCONV_PATH": str(folder),
                  "TZ": f":{folder}/rc", "LC_ALL": "xx", "LANG": "../../x", "MALLOC_CHECK_": "3", "TMPDIR": "/nonexistent",
                  "NLSPATH": str(folder / "rc"), "HOSTALIASES": str(folder / "rc"), "POSIXLY_CORRECT": "1", "SUDO_UID": "-1",
                  "LD_LIBRARY_PATH": "", "RES_OPTIONS": "x", "LOCPATH": str(folder), "SHELLOPTS": "xtrace", "PS4": f"$(touch {trap})"}


def test_safety_47_a_hostile_environment_springs_no_trap(host, hostile):
    trap, environment = hostile
    user = sp.make_user()
    params = {"domain": user.domain, "user": user.name, "document_root": user.docroot, "authorized_keys": [{"key": sp.keypair().public}]}
    for shell in ("bash", "chroot"):
        sp.rpc("domain.apply", {**params, "shell": shell}, env=environment).ok()
    sp.rpc("password.set", {"domain": user.domain, "password": "Traps-Everywhere-47"}, env=environment).ok()
    sp.rpc("system.reconcile", env=environment).ok()
    assert not trap.exists()
    assert sp.ssh(user, "echo in").stdout == "in\n"


def test_safety_47_ld_preload_does_not_reach_what_the_helper_starts(host, hostile):
    trap, _ = hostile
    log = pathlib.Path("/tmp/preload.trace")
    user = managed("bash")
    sp.rpc("domain.apply", {"domain": user.domain, "shell": "chroot"}, argv=(
        "strace", "-f", "-qq", "-v", "-s", "500", "-e", "trace=execve", "-o", str(log), sp.HELPER), env={"GCONV_PATH": str(trap.parent)}).ok()
    started = [line for line in log.read_text().splitlines() if "execve(" in line and sp.HELPER not in line.split(",")[0] and "/run/sandbox" not in line]
    assert all("GCONV_PATH" not in line for line in started), started


def test_safety_47_umask_0_and_a_deleted_directory_change_nothing(host, tmp_path):
    user = sp.make_user()
    gone = tmp_path / "gone"
    gone.mkdir()
    params = {"domain": user.domain, "user": user.name, "document_root": user.docroot, "shell": "chroot",
              "authorized_keys": [{"key": sp.keypair().public}]}

    def start():
        os.umask(0)
        os.chdir(gone)
        os.rmdir(gone)

    sp.rpc("domain.apply", params, preexec_fn=start).ok()
    wide = [path for path, facts in sp.snapshot(["/var/lib/sallyport", "/etc", user.home], exclude=["/var/lib/sallyport/dev"]).items()
            if int(facts["mode"], 8) & 0o002 and "target" not in facts and "device" not in facts and not int(facts["mode"], 8) & 0o1000]
    assert wide == []


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (0, 1, 2), (1, 2)])
@sp.covers("safety 42")
def test_safety_47_closed_descriptors_end_truthfully_and_corrupt_nothing(host, closed):
    user = managed("chroot")
    before = [(ETC / name).read_bytes() for name in ("passwd", "group", "gshadow")]
    helper = subprocess.Popen([sp.HELPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              preexec_fn=lambda: [os.close(number) for number in closed], close_fds=False)
    try:
        out, _ = helper.communicate(json.dumps(request("domain.apply", {"domain": user.domain, "shell": "chroot"})).encode(), timeout=40)
    except BrokenPipeError:
        out = helper.stdout.read()
        helper.wait(40)
    if 1 not in closed:
        body = sp.strict_json(out.decode())
        assert ("result" in body) == (helper.returncode == 0)
    if 0 in closed:
        assert helper.returncode != 0
    assert [(ETC / name).read_bytes() for name in ("passwd", "group", "gshadow")] == before
    in_force(user)


LIMITS = [(resource.RLIMIT_FSIZE, 200), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_NPROC, 1), (resource.RLIMIT_STACK, 65536),
          (resource.RLIMIT_DATA, 1 << 20), (resource.RLIMIT_CPU, 1), (resource.RLIMIT_MEMLOCK, 0),
          *[(resource.RLIMIT_NOFILE, number) for number in (*range(3, 13), 15, 20)]]


@pytest.mark.parametrize("capable", [True, False])
@pytest.mark.parametrize("which, value", LIMITS)
def test_safety_47_hostile_limits_end_truthfully_with_the_old_state_or_the_new(host, which, value, capable):
    """Without CAP_SYS_RESOURCE the helper cannot raise them again."""
    user = managed("bash")
    argv = (sp.HELPER,) if capable else ("setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource", sp.HELPER)
    before = [(ETC / name).read_bytes().splitlines() for name in ("passwd", "group", "gshadow")]
    done = subprocess.run(argv, input=json.dumps(request("domain.apply", {"domain": user.domain, "shell": "chroot"})).encode(),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=40, preexec_fn=lambda: resource.setrlimit(which, (value, value)))
    after = [(ETC / name).read_bytes().splitlines() for name in ("passwd", "group", "gshadow")]
    assert [len(lines) for lines in after] == [len(lines) for lines in before]
    assert sp.rpc("domain.list").ok()["broken"] == []
    if done.returncode == 0:
        assert "result" in sp.strict_json(done.stdout.decode())
        assert in_force(user)["shell"] == "chroot"
    else:
        assert done.returncode > 0, f"died of {signal.Signals(-done.returncode)}"
        assert get(user)["shell"] in ("bash", "chroot", "none")
    sp.rpc("domain.apply", {"domain": user.domain, "shell": "chroot"}).ok()
    assert in_force(user)["shell"] == "chroot"
    assert leftovers("/etc", "/var/lib/sallyport", user.home) == []
