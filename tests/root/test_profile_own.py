# SPDX-License-Identifier: GPL-3.0-or-later
"""The administrator's own profiles: laid over ours, proved, refused where they are wrong, chosen between."""

import json
import os
import pathlib

import pytest

import sp
import sp_site

OWN = pathlib.Path("/etc/sallyport/profiles.d")
OURS = pathlib.Path("/usr/share/sallyport/profiles")
SETS = pathlib.Path("/var/lib/sallyport/sets")


@pytest.fixture
def own():
    """Writes a profile; all are gone afterwards, and so are the domains that name them."""
    written = []
    asked.clear()

    def write(name, text):
        path = OWN / f"{name}.profile"
        path.write_text(text)
        written.append(path)
        return path

    yield write
    for domain in asked:
        sp.rpc("domain.remove", {"domain": domain})
    names = {path.stem for path in written}
    for link in SETS.iterdir():  # nobody uses it any more; its profile would be missed
        if names & {part.partition("@")[0] + "@" * ("@" in part) for part in link.name.split("+")} | names & set(link.name.split("+")):
            link.unlink()
    for path in written:
        path.unlink(missing_ok=True)


def program(name, text):
    path = pathlib.Path("/usr/local/bin", name)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


asked = set()


def apply(user, *profiles, **params):
    asked.add(user.domain)
    return sp_site.apply(user, shell="chroot", jail={"profiles": list(profiles)}, keys=[sp.keypair()], **params)


def current(*profiles):
    return os.readlink(SETS / "+".join(sorted(("base", *profiles))))


def test_an_own_profile_is_built_and_proved_and_works(host, own, user):
    program("greet", 'echo "hello from $0"')
    own("greeting", "describe A greeting\nprogram greet\npromise it greets\nprove greet\n"
                    "prove-sh greet | grep -q '^hello  *from' && touch /tmp/x\n")
    apply(user, "greeting").ok()
    assert sp.ssh(user, "greet").stdout == "hello from /usr/local/bin/greet\n"
    assert not apply(user, "greeting").ok()["changed"]


def test_an_own_profile_takes_the_place_of_ours_of_that_name(host, own, user):
    assert "perl" in (OURS / "git.profile").read_text()
    own("git", "describe Git without perl\nprogram git\nprove git --version\n")
    apply(user, "git").ok()
    assert sp.ssh(user, "git --version >&2; ls /usr/bin/perl").rc == 2


@pytest.mark.parametrize("text, line, what, mend", [
    ("describe x\nprogramme git\n", 2, "not known", "known are: describe"),
    ("describe x\n\nprove sh -c 'true'\n", 3, "no quoting", "blanks between"),
    ("promise one\npromise two\nprove true\n", 1, "nothing proves this promise", "write a prove line"),
    ("tree /etc/shadow\n", 1, "not for jails", "its own account files"),
    ("program php%i\n", 1, "has none", "NAME@.profile"),
    ("tree /usr/share\x01\n", 1, "control byte", "plain text"),
])
def test_a_broken_one_is_refused_with_its_line_and_the_mend(host, own, user, text, line, what, mend):
    path = own("broken", text)
    answer = apply(user, "broken")
    assert answer.reason == "broken_state", answer.body
    assert answer.error["message"].startswith(f"{path}:{line}: ") and what in answer.error["message"], answer.body
    assert mend in answer.error["data"]["hint"]
    assert sp_site.login_shell(user) == "/bin/false" and not (SETS / "base+broken").is_symlink()


def test_a_failing_proof_never_becomes_current(host, own, user):
    program("tool", "echo one; exit 0")
    own("proved", "program tool\npromise the tool says one\nprove-sh tool | grep -qx one\n")
    apply(user, "proved").ok()
    before = current("proved")
    program("tool", "echo two; echo why >&2; exit 3")
    done = sp.run(["sallyport", "reconcile"])
    assert done.rc != 0 and 'promises "the tool says one"' in done.stdout + done.stderr, done
    assert "prove-sh" not in done.stdout and "tool | grep -qx one" in done.stdout + done.stderr
    assert current("proved") == before and sp.ssh(user, "tool").stdout == "one\n"
    # The first generation of a set: nothing is given to anybody.
    other = sp.make_user()
    own("proved2", "program tool\npromise it is there\nprove-sh tool\n")
    answer = apply(other, "proved2")
    assert answer.reason == "not_in_force" and 'ended with 3 in the jail: two' in answer.error["message"], answer.body
    assert answer.error["data"]["field"] == "params.jail.profiles.proved2" and sp.ssh(other, "true").rc == 255
    assert not (SETS / "base+proved2").is_symlink()
    program("tool", "echo one")
    assert sp.run(["sallyport", "reconcile"]).rc == 0 and current("proved") != before


def test_what_the_host_lacks_is_an_error_that_names_what_to_install(host, own, user):
    own("lacking", "install no-such-package\nprogram no-such-program\nprove true\n")
    for params in ({"dry_run": True}, {}):
        answer = apply(user, "lacking", **params)
        assert answer.reason == "not_found" and answer.error["data"]["field"] == "params.jail.profiles.lacking", answer.body
        assert "no-such-program" in answer.error["message"]
        assert answer.error["data"]["hint"].startswith("install no-such-package, or say")
    assert sp_site.login_shell(user) == "/bin/false" and sp.rpc("domain.get", {"domain": user.domain}).reason == "not_found"


def test_what_may_be_lacking_is_left_out_and_told_once(host, own, user):
    program("scripted", "exec true")
    pathlib.Path("/usr/local/bin/scripted").write_text("#!/usr/bin/env no-such-interpreter\n")
    own("partly", "program? no-such-program\nprogram? scripted\nprogram git\nprove? no-such-program --version\nprove git --version\n")
    result = apply(user, "partly").ok()
    assert len(result["warnings"]) == 1, result
    assert "no-such-program" in result["warnings"][0] and "no-such-interpreter" in result["warnings"][0]
    assert apply(user, "partly").ok()["warnings"] == []
    assert sp.ssh(user, "no-such-program").rc == 127 and sp.ssh(user, "git --version").rc == 0


def test_a_program_that_is_there_is_proved_though_it_may_be_lacking(host, own, user):
    program("moody", "exit 7")
    own("moody", "program? moody\nprove? moody --version\n")
    answer = apply(user, "moody")
    assert answer.reason == "not_in_force" and '"moody --version" ended with 7' in answer.error["message"], answer.body


@sp.outside_the_sandbox("the proof is another unit's, which strace does not follow")
def test_a_proof_is_not_passed_over_because_nobody_could_look_for_its_program(host, own, user):
    program("hollow", "exit 3")
    own("hollow", "program? hollow\nprove? hollow --version\n")
    wanted = {"domain": user.domain, "user": user.name, "document_root": user.docroot, "shell": "chroot", "jail": {"profiles": ["hollow"]}}
    request = json.dumps({"jsonrpc": "2.0", "id": "hollow", "method": "domain.apply", "params": wanted})
    trace = pathlib.Path("/run/strace.out")
    blind = ["strace", "-f", "--seccomp-bpf", "-qq", "-o", trace, "-e", "trace=faccessat2", "-e", "inject=faccessat2:error=ENOMEM"]
    done = sp.run([*blind, sp.HELPER], input=request, timeout=60)
    assert "bin/hollow" in trace.read_text() and "hollow --version" in json.loads(done.stdout)["error"]["message"], done



def test_each_account_chooses_what_a_name_means_in_its_jail(host, own):
    for version in ("1", "2.5"):
        program(f"lang{version}", f"echo lang {version}")
    program("lang", "echo lang of the host")
    program("script", "")
    pathlib.Path("/usr/local/bin/script").write_text("#!/usr/bin/env lang\n")
    own("lang@", "describe The language %i\ninstall lang-%i\nprogram lang%i\nprogram? script\nlink /usr/local/bin/lang lang%i\n"
                 "promise lang is %i\nprove-sh test \"$(lang)\" = 'lang %i'\n")
    first, second = sp.make_user(), sp.make_user()
    apply(first, "lang@1").ok()
    apply(second, "lang@2.5").ok()
    assert (sp.ssh(first, "lang; script").stdout, sp.ssh(second, "lang; script").stdout) == ("lang 1\n" * 2, "lang 2.5\n" * 2)
    # Another choice later, and the others are what they were.
    apply(first, "lang@2.5").ok()
    assert sp.ssh(first, "lang").stdout == "lang 2.5\n" and sp.ssh(first, "lang1").rc == 127
    shown = sp.rpc("domain.get", {"domain": first.domain}).ok()
    assert "lang@2.5" in shown["jail"]["profiles"]
    assert sp.run(["sallyport", "shell", first.domain, "chroot", "--profiles", "lang@1"], check=True) and sp.ssh(
        first, "lang").stdout == "lang 1\n"
    # One file for one choice wins over the one for all.
    own("lang@9", "program lang1\nlink /usr/local/bin/lang lang1\nprove lang\n")
    apply(second, "lang@9").ok()
    assert sp.ssh(second, "lang").stdout == "lang 1\n"
    # What is not there, and what contradicts itself.
    answer = apply(second, "lang@3")
    assert answer.reason == "not_found" and "lang3" in answer.error["message"] and "install lang-3" in answer.error["data"]["hint"]
    answer = apply(second, "lang@1", "lang@2.5")
    assert answer.reason == "invalid" and answer.error["data"]["field"] == "params.jail.profiles", answer.body
    assert "lang@1 and lang@2.5 both say what /usr/local/bin/lang is" in answer.error["message"]
    for bad in ("lang@", "lang@..", "lang@../x", "lang@1/2", "lang@1@2", "no-such@1"):
        assert apply(second, bad).reason == "invalid", bad
    assert sp.ssh(second, "lang").stdout == "lang 1\n"


def test_every_profile_of_ours_says_what_it_promises_and_proves_it():
    found = {path.name.removesuffix(".profile") for path in OURS.glob("*.profile")}
    assert found >= {"base", "git", "svn", "php", "php@", "node", "python"}
    for path in OURS.glob("*.profile"):
        words = [line.split(" ")[0] for line in path.read_text().splitlines()]
        assert "describe" in words and "promise" in words, path
        assert words.index("promise") < min(i for i, word in enumerate(words) if word.startswith("prove")), path
        if path.stem != "base":
            assert "install" in words, path


def test_the_choices_that_a_host_has_are_listed(own):
    for version in ("5.3", "5.4"):
        program(f"lua{version}", "exec true")
    program("luac5.4", "exec true")
    own("lua@", "describe Lua %i\nprogram lua%i\nprove lua%i\n")
    base = pathlib.Path("/usr/local/vendor/tcl")
    for version in ("8", "9"):
        (base / version).mkdir(parents=True)
    (base / "8/tclsh").write_text("#!/bin/sh\n")
    (base / "8/tclsh").chmod(0o755)
    own("tcl@", f"describe Tcl %i\nprogram {base}/%i/tclsh\nprove true\n")
    listed = {one["name"]: one for one in sp.rpc("jail.profiles").ok()["profiles"]}
    assert [name for name in listed if name.startswith(("lua", "tcl"))] == ["lua@5.3", "lua@5.4", "tcl@8"]
    assert listed["lua@5.4"]["describe"] == "Lua 5.4" and listed["lua@5.4"]["own"] and listed["lua@5.4"]["available"]
    assert [name for name in listed if name.startswith("php")] == ["php"] + sorted(
        f"php@{path.name[3:]}" for path in pathlib.Path("/usr/bin").glob("php?.?"))
