# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys as people paste them: what was mended logs in, what was refused leaves nothing, a private key is nowhere."""

import fcntl
import json
import os
import pathlib
import re
import subprocess
import tempfile
import time

import pytest

import sp
import sp_token
from sp_safety import apply, get, managed, nothing_written, refused, request

SALLYPORT = "/usr/bin/sallyport"
CORPUS = pathlib.Path(__file__).parents[2] / "tests/unit/keycorpus"
SENTENCE = "this is your PRIVATE key; it was not kept; make a new pair and paste the .pub file"
CONF = pathlib.Path("/etc/sallyport/sallyport.conf.d/blocklist.conf")


@pytest.fixture(scope="module")
def site(host):
    return managed()


def exported(key, form):
    return sp.run(["ssh-keygen", "-e", "-m", form, "-f", key.path + ".pub"], check=True).stdout


def wrapped(line, width=64):
    return "\n".join(line[at:at + width] for at in range(0, len(line), width)) + "\n"


PASTED = {
    "rfc4716": ("rsa", lambda key: exported(key, "RFC4716"), "converted"),
    "rfc4716 of ed25519": ("ed25519", lambda key: exported(key, "RFC4716"), "converted"),
    "pkcs8": ("ecdsa", lambda key: exported(key, "PKCS8"), "converted"),
    "pkcs1": ("rsa", lambda key: exported(key, "PEM"), "converted"),
    "wrapped": ("rsa", lambda key: wrapped(key.public), "joined"),
    "base64 alone": ("ed25519", lambda key: key.public.split()[1], "type in front"),
    "no-break spaces and quotes": ("ed25519", lambda key: f"\u201c{key.public}\u201d".replace(" ", "\u00a0"), "typographic"),
    "options": ("ecdsa", lambda key: f'restrict,from="198.51.100.1",command="/bin/false" {key.public}', "options"),
}


@pytest.mark.parametrize("name", PASTED)
def test_a_key_that_was_mended_logs_in(site, name):
    kind, paste, warning = PASTED[name]
    key = sp.keypair(name.replace(" ", "-"), kind)
    added = sp.rpc("keys.add", {"domain": site.domain, "key": paste(key)}).ok()
    assert added["fingerprint"] == key.fingerprint and any(warning in text for text in added["warnings"]), added
    assert sp.ssh(site, "echo in", key=key).stdout == "in\n"
    again = sp.rpc("keys.add", {"domain": site.domain, "key": paste(key)}).ok()
    assert not again["changed"] and again["warnings"] == added["warnings"], again


@pytest.mark.parametrize("kind, bits", [("ed25519", 256), ("ecdsa", 256), ("ecdsa", 384), ("ecdsa", 521), ("rsa", 2048), ("rsa", 3072), ("rsa", 4096)])
def test_every_type_of_key_logs_in(site, kind, bits, tmp_path):
    path = tmp_path / "key"
    sp.run(["ssh-keygen", "-q", "-t", kind, "-b", str(bits), "-N", "", "-C", "", "-f", path], check=True)
    shown = sp.rpc("key.inspect", {"key": path.with_suffix(".pub").read_text()}).ok()
    assert shown["bits"] == bits
    sp.rpc("keys.add", {"domain": site.domain, "key": path.with_suffix(".pub").read_text()}).ok()
    assert sp.ssh(site, "echo in", key=str(path)).stdout == "in\n"


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_a_security_key_logs_in_when_it_is_touched(site, kind):
    """Of software, behind an agent: no hardware is here, but ssh, sshd and the signature are real."""
    token = sp_token.Token(kind)
    sp.rpc("keys.add", {"domain": site.domain, "key": token.public}).ok()
    with sp_token.plugged_in(token) as options:
        assert sp.ssh(site, "echo in", key=str(token.path), options=options).stdout == "in\n" and token.asked == 1
        token.touched = False
        assert sp.ssh(site, "echo in", key=str(token.path), options=options).rc == 255 and token.asked == 2


def test_what_stands_in_the_file_was_written_anew(site):
    lines = pathlib.Path(site.home, ".ssh/authorized_keys").read_text().splitlines()
    assert len(lines) > 1
    for line in lines:
        assert re.fullmatch(r"(ssh-rsa|(sk-)?(ssh-ed25519|ecdsa-sha2-nistp\d+)(@openssh\.com)?) [A-Za-z0-9+/]+=* ?[\x20-\x7e]*", line), line


def test_a_file_in_utf16_logs_in(site, tmp_path):
    key, file = sp.keypair("notepad"), tmp_path / "key.txt"
    file.write_bytes((key.public + "\r\n").encode("utf-16"))
    done = sp.run([SALLYPORT, "keys", "add", site.domain, file])
    assert done.rc == 0 and "warning: the text was UTF-16" in done.stdout, done
    assert sp.ssh(site, "echo in", key=key).stdout == "in\n"


def test_a_list_says_which_key_was_mended(host):
    user, one, two = sp.make_user(), sp.keypair("one"), sp.keypair("two")
    done = apply(user, shell="bash", authorized_keys=[{"key": one.public}, {"key": f"restrict {two.public}"}]).ok()
    assert [text for text in done["warnings"] if "options" in text] == [
        "authorized_keys[1]: the options in front of the key were dropped (restrict): sources, expiry and a forced command "
        "have fields of their own, from, expires_at and command"]
    assert [key["fingerprint"] for key in get(user)["authorized_keys"]] == [one.fingerprint, two.fingerprint]


def test_inspect_tells_what_ssh_keygen_tells(site):
    for kind in ("ed25519", "rsa", "ecdsa"):
        key = sp.keypair("look", kind)
        shown = sp.rpc("key.inspect", {"key": key.public}).ok()
        bits, sha256, label, _ = sp.run(["ssh-keygen", "-lf", key.path + ".pub"], check=True).stdout.split()
        md5 = sp.run(["ssh-keygen", "-E", "md5", "-lf", key.path + ".pub"], check=True).stdout.split()[1]
        assert shown == {"type": key.public.split()[0], "bits": int(bits), "fingerprint": sha256, "fingerprint_md5": md5,
                         "label": label, "key": " ".join(key.public.split()[:2]), "warnings": []}


@pytest.mark.parametrize("name", ["certificate-user-rsa2048", "weak-dsa", "cut-rsa-201", "two-lines", "private-ppk2-rsa2048"])
def test_inspect_and_check_refuse_what_add_refuses(site, name):
    sentence = next(line.split("\t")[3] for line in (CORPUS / "verdicts").read_text().splitlines() if line.startswith(name + "\t"))
    with nothing_written(site.home):
        for method, more in (("key.inspect", {}), ("keys.add", {"domain": site.domain})):
            error = refused(sp.rpc(method, {"key": (CORPUS / name).read_text(), **more}), "invalid", "params.key")
            assert sentence in error["message"], error
        done = sp.run([SALLYPORT, "keys", "check", CORPUS / name])
        assert (done.rc, done.stdout) == (5, "") and sentence in done.stderr and "\n  try: " in done.stderr, done


def test_check_reads_a_file_or_stdin(host):
    key = sp.keypair("check")
    for argument, given in ((key.path + ".pub", None), ("-", key.public)):
        done = sp.run([SALLYPORT, "keys", "check", argument], input=given)
        assert done.rc == 0 and done.stderr == "", done
        assert key.fingerprint in done.stdout and " ".join(key.public.split()[:2]) in done.stdout, done
    assert json.loads(sp.run([SALLYPORT, "keys", "check", key.path + ".pub", "--json"]).stdout)["fingerprint"] == key.fingerprint
    assert sp.run([SALLYPORT, "keys", "check"]).rc == 5
    assert sp.run([SALLYPORT, "keys", "check", "/no/such/file"]).rc == 7
    assert "NUL" in sp.run([SALLYPORT, "keys", "check", "-"], input=key.public + "\0x").stderr


# The host's own list

@pytest.fixture
def blocked(site, tmp_path):
    key, file = sp.keypair("stolen"), pathlib.Path("/etc/sallyport/bad-keys")
    CONF.parent.mkdir(parents=True, exist_ok=True)
    CONF.write_text(f"key_blocklist = {file}\n")
    file.write_text(f"# known to be bad\n{key.fingerprint} found on a web page\n")
    file.chmod(0o644)
    yield key, file
    CONF.unlink()
    file.unlink(missing_ok=True)


def test_a_key_of_the_hosts_list_is_refused_and_names_the_file(site, blocked):
    key, file = blocked
    with nothing_written(site.home):
        for method, params, field in (
                ("key.inspect", {"key": key.public}, "params.key"), ("keys.add", {"domain": site.domain, "key": key.public}, "params.key"),
                ("domain.apply", {"domain": site.domain, "authorized_keys": [{"key": sp.keypair("fine").public}, {"key": key.public}]},
                 "params.authorized_keys[1].key")):
            assert str(file) in refused(sp.rpc(method, params), "invalid", field)["message"]
    assert sp.rpc("key.inspect", {"key": sp.keypair("fine").public}).ok()


@pytest.mark.parametrize("spoil, reason", [
    (lambda file: file.unlink(), "not_found"), (lambda file: file.chmod(0o666), "unsafe_path"),
    (lambda file: os.chown(file, 65534, 65534), "unsafe_path"), (lambda file: file.write_text("nonsense\n"), "invalid"),
    (lambda file: (file.unlink(), file.mkdir()), "unsafe_path"),
])
def test_a_list_that_cannot_be_trusted_refuses_every_key(site, blocked, spoil, reason):
    key, file = blocked
    spoil(file)
    try:
        with nothing_written(site.home):
            refused(sp.rpc("keys.add", {"domain": site.domain, "key": sp.keypair("fine").public}), reason,
                    "sallyport.conf.key_blocklist")
        assert get(site)["user"] == site.name
    finally:
        if file.is_dir():
            file.rmdir()


# Private keys

def new_key_text(kind):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        path = pathlib.Path(folder, "key")
        sp.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "", "-f", path], check=True)
        return path.read_text()


def private_key(kind):
    """A private key that stands in no file, and pieces of it that no other key of its kind has."""
    text, other = new_key_text(kind), new_key_text(kind)
    # Whole lines: the last may be no more than a comment and padding, which the host's own keys have as well.
    starts = [line[:24] for line in text.splitlines()[2:-1] if len(line) == 70]
    pieces = [piece for piece in starts if piece not in other]
    assert pieces
    return text, pieces


def found_on_host(pieces, since):
    """Every process, and every file of the host written from `since` on, that holds one of them."""
    found, wanted = [], [piece.encode() for piece in pieces]
    paths = [path for root in ("/etc", "/var", "/run", "/tmp", "/root", "/home", "/dev/shm", "/opt", "/srv")
             for path in sp.run(["find", root, "-xdev", "-type", "f", "-newermt", f"@{since}"], timeout=300).stdout.splitlines()]
    paths += [f"/proc/{pid}/{name}" for pid in os.listdir("/proc") if pid.isdigit() for name in ("environ", "cmdline")]
    for path in paths:
        try:
            content = pathlib.Path(path).read_bytes()
        except OSError:
            continue
        if any(piece in content for piece in wanted):
            found.append(path)
    return found


def test_the_search_finds_what_is_there(host):
    since = int(time.time()) - 1
    text, pieces = private_key("ed25519")
    file = pathlib.Path("/var/tmp/planted")
    file.write_text(text)
    assert found_on_host(pieces, since) == [str(file)]
    file.unlink()


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_a_private_key_that_was_sent_is_nowhere_on_the_host(host, site, kind):
    since = int(time.time()) - 1
    text, pieces = private_key(kind)
    newcomer = sp.make_user()
    for key in (text, text.replace("\n", "\r\n"), text.replace("\n", " "), "from=\u201cx\u201d " + text, text[:len(text) // 2]):
        answer = apply(newcomer, shell="bash", authorized_keys=[{"key": key, "label": "mine"}])
        assert refused(answer, "invalid", "params.authorized_keys[0].key")["message"] == SENTENCE
        assert not any(piece.encode() in answer.raw for piece in pieces)
        refused(sp.rpc("keys.add", {"domain": site.domain, "key": key}), "invalid", "params.key")
        refused(sp.rpc("key.inspect", {"key": key}), "invalid", "params.key")
        for words in (["keys", "add", site.domain, "-"], ["keys", "check", "-"]):
            done = sp.run([SALLYPORT, *words], input=key)
            assert done.rc == 5 and SENTENCE in done.stderr and not any(piece in done.stdout + done.stderr for piece in pieces)
    assert found_on_host(pieces, since) == []
    assert sp.syslog_lines(SENTENCE), "the refusal was logged"


def memory(pid):
    """All that the process has, as bytes."""
    parts = []
    with open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in open(f"/proc/{pid}/maps", encoding="ascii"):
            start, end = (int(word, 16) for word in line.split()[0].split("-"))
            if " rw" in line:
                mem.seek(start)
                parts.append(mem.read(end - start))
    return b"".join(parts)


def answering(text):
    """A helper that has made its answer and cannot write it: nobody reads, and the pipe is full."""
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, fcntl.F_SETFL, os.O_NONBLOCK)
    try:
        while True:
            os.write(write_end, b"x" * 4096)
    except BlockingIOError:
        fcntl.fcntl(write_end, fcntl.F_SETFL, 0)
    helper = subprocess.Popen([sp.HELPER], stdin=subprocess.PIPE, stdout=write_end)
    os.close(write_end)
    helper.stdin.write(text.encode())
    helper.stdin.close()
    sp.wait_for(lambda: pathlib.Path(f"/proc/{helper.pid}/syscall").read_text().startswith("1 0x1 "), what="the answer")
    return helper, read_end


@pytest.mark.parametrize("name", ["private-openssh-ed25519", "private-pem-rsa2048", "private-pkcs8-encrypted", "private-ppk3-rsa2048"])
def test_the_helper_has_forgotten_the_private_key_when_it_answers(site, name):
    text = (CORPUS / name).read_text()
    pieces = [line[:24] for line in text.splitlines() if len(line) >= 60 and " " not in line][1:]
    assert pieces
    helper, read_end = answering(json.dumps(request("domain.apply", {
        "domain": site.domain, "authorized_keys": [{"key": sp.keypair().public}, {"key": text}]})))
    try:
        held = memory(helper.pid)
    finally:
        helper.kill()
        helper.wait()
        os.close(read_end)
    assert SENTENCE.encode() in held, "the search sees the answer"
    assert [piece for piece in pieces if piece.encode() in held] == []
