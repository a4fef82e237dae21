# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every verb: --json in the helper's shapes, exit codes, help, names that are nearly right, questions, terminals."""

import contextlib
import json
import pathlib
import re
import subprocess

import jsonschema
import pytest

import sp
import sp_site
from sp_terminal import Terminal

DEFS = json.loads(sp.SCHEMA.read_text())["$defs"]
VERBS = " ".join(re.findall(r"^ .{30}(.*)$", sp.run(["sallyport", "--help"]).stdout, re.M)).split()
KEY, SPARE = sp.keypair("first"), sp.keypair("spare")
LIVE = {}  # what an earlier verb made: a certificate's serial, a login's id


def sallyport(*words, **more):
    return sp.run(["sallyport", *map(str, words)], timeout=90, **more)


def actions(verb):
    return re.findall(rf"^(?:usage:|      ) sallyport ({verb}\b.*)$", sallyport(verb, "--help").stdout, re.M)


@pytest.fixture(scope="module")
def site(host, tmp_path_factory):
    pathlib.Path("/var/www").mkdir(exist_ok=True)
    sp.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/var/www"], check=True)  # extra logins want idmapped mounts
    pathlib.Path("/etc/sallyport/sallyport.conf.d/log.conf").write_text(f"auth_log = {sp.SYSLOG}\n")
    user = sp_site.account("chroot", keys=[KEY])
    where = tmp_path_factory.mktemp("requests")
    (where / "1.json").write_text(json.dumps({"domain": user.domain, "shell": "chroot"}))
    (where / "2.json").write_text(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "domain.apply", "params": {"domain": "none.example"}}))
    LIVE.update(requests=where, other=sp.make_user())
    return user


D, DIR = "{domain}", "{requests}"
ACCESS = ("domain.apply", [D])
# One row each: the method whose answer it is, the words (without --json), the exit status where it is not 0.
ROWS = [
    ("domain.apply", ["enable", D]), ("domain.apply", ["enable", D, "bash", "--dry-run"]), ("domain.apply", ["shell", D, "chroot", "--profiles", "git"]),
    ("domain.apply", ["access", D, "--authentication", "password_or_key"]), ("domain.apply", ["limits", D, "--processes", "100"]),
    ("domain.apply", ["disable", D, "--dry-run"]),
    ("account.suspend", ["suspend", D]), ("account.resume", ["resume", D]),
    ("password.set", ["password", "set", D]), ("password.generate", ["password", "generate", D]),
    ("password.lock", ["password", "lock", D]), ("password.unlock", ["password", "unlock", D]),
    ("keys.add", ["keys", "add", D, "{spare}", "--label", "spare"]), ("keys.list", ["keys", "list", D]), ("key.inspect", ["keys", "check", "{spare}"]),
    ("keys.remove", ["keys", "remove", D, SPARE.fingerprint]),
    ("user.add", ["users", "add", D, "cliextra", "{spare}", "--for", "1h"]), ("user.list", ["users", "list", D]), ("user.remove", ["users", "remove", D, "cliextra", "--yes"]),
    ("global_keys.add", ["global-keys", "add", "{spare}", "--dry-run"]), ("global_keys.add", ["global-keys", "add", "{spare}"]),
    ("global_keys.list", ["global-keys", "list"]), ("global_keys.remove", ["global-keys", "remove", SPARE.fingerprint, "--dry-run"]),
    ("global_keys.remove", ["global-keys", "remove", SPARE.fingerprint, "--yes"]),
    ("certificate.ca.create", ["certificates", "ca", "create", "--dry-run"]), ("certificate.ca.create", ["certificates", "ca", "create"]),
    ("certificate.issue", ["certificates", "issue", D, KEY.fingerprint, "--dry-run"]), ("certificate.issue", ["certificates", "issue", D, KEY.fingerprint]), ("certificate.list", ["certificates", "list", D]), ("certificate.list", ["certificates"]),
    ("certificate.revoke", ["certificates", "revoke", D, "--yes"]), ("login.explain", ["certificates", "why", D]),
    ("certificate.ca.rotate", ["certificates", "ca", "rotate", "--dry-run"]), ("certificate.ca.rotate", ["certificates", "ca", "rotate", "--yes"]),
    ("certificate.ca.get", ["certificates", "ca"]), ("certificate.ca.drop", ["certificates", "ca", "drop", "1", "--dry-run"]),
    ("certificate.ca.drop", ["certificates", "ca", "drop", "1", "--yes"]), ("certificate.ca.drop", ["certificates", "ca", "drop", "2", "--yes"]),
    ("sessions.list", ["sessions"]), ("sessions.list", ["sessions", D]), ("sessions.end", ["sessions", "end", D, "--yes"]),
    ("domain.list", ["list"]), ("domain.get", ["status", D]), ("login.diagnose", ["doctor", D]), ("login.diagnose", ["doctor", D, "--fix"]),
    ("login.diagnose", ["doctor", "--user", "daemon"], 22),
    ("system.host", ["host"]), ("system.host", ["host", D]),
    ("domain.apply", ["plan", DIR + "/1.json"]), ("domain.apply", ["apply", DIR + "/1.json"]),
    ("domain.rebind", ["rebind", D, "--to", "new." + D]), ("domain.rebind", ["rebind", "new." + D, "--to", D]),
    ("firewall.get", ["firewall"]), ("firewall.set", ["firewall", "allow", "198.51.100.7", "--comment", "x"]), ("firewall.set", ["firewall", "unallow", "198.51.100.7"]),
    ("firewall.set", ["firewall", "restrict", "0.0.0.0/1", "--dry-run", "--force"]), ("firewall.set", ["firewall", "close", "--yes", "--dry-run", "--force"]),
    ("firewall.set", ["firewall", "restrict", "0.0.0.0/1", "128.0.0.0/1", "--confirm-within", "60s"]), ("firewall.confirm", ["firewall", "confirm"]),
    ("firewall.set", ["firewall", "restrict", "0.0.0.0/1", "--confirm-within", "60s", "--force"]), ("firewall.rollback", ["firewall", "rollback"]),
    ("firewall.set", ["firewall", "open"]), ("firewall.restore", ["firewall", "restore"]), ("firewall.set", ["firewall", "unmanage"]),
    ("jail.profiles", ["jail", "profiles"]), ("jail.build", ["jail", "build", "git", "--dry-run"]), ("jail.refresh", ["jail", "refresh", "--dry-run"]), ("jail.check", ["jail", "check"]),
    ("system.reconcile", ["reconcile", "--dry-run"]), ("system.reconcile", ["reconcile"]),
    ("domain.remove", ["remove", D, "--dry-run"]),
]


def shape(method):
    """The schema of a method's result: its own, or the one that it shares."""
    name = "result." + {"password.generate": "password.set", "firewall.confirm": "firewall.set", "firewall.rollback": "firewall.set"}.get(method, method)
    if name not in DEFS:
        name = "result.account"  # suspend, resume, lock, unlock
    return {"$defs": DEFS, "$ref": f"#/$defs/{name}"}


@contextlib.contextmanager
def somebody_new(user):
    """A connection from outside: firewall confirm wants to see one."""
    argv = [*sp.client("ssh", KEY, sp.OUTSIDE4, "outside"), "-T", "-l", user.name, sp.HOST4, "echo in; exec cat"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        assert client.stdout.readline() == b"in\n"
        yield
        client.kill()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(row[1]))
def test_json_is_what_the_helper_answers(site, row):
    method, words, *status = row
    words = [word.format(domain=site.domain, spare=SPARE.path + ".pub", **LIVE) for word in words]
    with somebody_new(site) if words[:2] == ["firewall", "confirm"] else contextlib.nullcontext():
        done = sallyport(*words, "--json", input="Quite-Long-Enough-77\n")
    assert done.rc == (status[0] if status else 0), done
    jsonschema.validate(sp.strict_json(done.stdout), shape(method))


def test_no_verb_and_no_action_is_left_out(host):
    named = {" ".join(row[1]) for row in ROWS} | OWN_FILES
    for verb in VERBS:
        for one in actions(verb):
            words = " ".join(re.match(r"[a-z -]+", one).group().split())
            assert any(name == words or name.startswith(words + " ") for name in named) or words in DEFAULTS, one


DEFAULTS = {"sessions list", "firewall status", "certificates list"}  # what the verb alone means
OWN_FILES = {"adopt"}


def test_a_directorys_answers_are_a_batchs(site):
    done = sallyport("apply", LIVE["requests"], "--json")
    answers = sp.strict_json(done.stdout)
    sp.validate_answer(answers)
    assert done.rc == 20 and [one["id"] for one in answers] == ["1.json", "2.json"] and "error" in answers[1], done
    assert sallyport("plan", LIVE["requests"]).rc == 20


@pytest.mark.parametrize("words, status, reason", [
    (["status", "none.example"], 7, "not_found"), (["shell", "{domain}", "csh"], 5, "invalid"), (["status", "a b"], 5, "invalid"),
    (["remove", "{domain}"], 5, "invalid"), (["status"], 5, "invalid"), (["apply", "/nowhere.json"], 7, "not_found"),
    (["enable", "own.example", "--user", "root", "--document-root", "/root"], 6, "forbidden")])
def test_an_error_has_its_number_a_line_and_in_json_the_helpers_shape(site, words, status, reason):
    words = [word.format(domain=site.domain) for word in words]
    done = sallyport(*words, "--json")
    assert done.rc == status and done.stderr.startswith("sallyport: "), done
    answer = sp.strict_json(done.stdout)
    jsonschema.validate(answer["error"], {"$defs": DEFS, "$ref": "#/$defs/error"})
    assert list(answer) == ["error"] and answer["error"]["data"]["reason"] == reason
    assert sallyport(*words).stdout == ""


@pytest.mark.parametrize("words, meant", [
    (["firewal"], "sallyport firewall"), (["statsu", "x.example"], "sallyport status"), (["recon"], "sallyport reconcile"), (["xyzzy"], "sallyport --help"),
    (["keys", "lst", "x.example"], "sallyport keys list"), (["jail", "profile"], "sallyport jail profiles"), (["firewall", "alow", "192.0.2.7"], "sallyport firewall allow"),
    (["enable", "x.example", "--profile", "git"], "sallyport enable --profiles"), (["keys", "add", "x.example", "f", "--expire-at=1"], "sallyport keys --expires-at"),
    (["list", "--jsno"], "sallyport list --json"), (["keys", "add", "x.example", "f", "--frobnicate"], "sallyport keys --help"), (["help", "doctr"], "sallyport doctor")])
def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(host, words, meant):
    done = sallyport(*words)
    assert done.rc == 5 and f"try: {meant}\n" in done.stderr, done


@pytest.mark.parametrize("words", [["list", "--user"], ["keys", "list", "x.example", "--label", "y"], ["list", "x.example"], ["keys"], ["keys", "add", "x.example"],
                                   ["status", "--json=1", "x.example"], ["jail", "check", "--dry-run"], ["limits", "x.example"], ["access", "x.example", "--dry-run"], ["certificates", "ca", "drop"], ["sessions", "end", "a.example", "b.example"]])
def test_words_that_do_not_fit_are_refused_before_anything_is_done(host, words):
    done = sallyport(*words)
    assert done.rc == 5 and "--help" in done.stderr and done.stdout == "", done


def test_an_option_may_stand_anywhere_and_two_dashes_end_them(site):
    assert sallyport("--json", "list").rc == 5  # a verb comes first
    assert json.loads(sallyport("status", "--json", site.domain).stdout) == json.loads(sallyport("status", site.domain, "--json").stdout)
    assert sallyport("status", "--", "--json").rc == 5 and "no SSH" not in sallyport("status", "--", site.domain).stderr


def on_a_terminal(*words, env=(), cols=100):
    with Terminal.local(["env", *env, "sallyport", *words], cols=cols) as term:
        status = term.wait(30)
        return status, term.screen


def test_colours_are_for_terminals_that_want_them(site):
    coloured = ["status", site.domain], ["plan", str(LIVE["requests"] / "3.json")], ["doctor", site.domain]
    (LIVE["requests"] / "3.json").write_text(json.dumps({"domain": site.domain, "shell": "bash"}))
    for words in coloured:
        assert "\x1b[3" in on_a_terminal(*words)[1], words
        for env in (["NO_COLOR=1"], ["TERM=dumb"]):
            assert "\x1b" not in on_a_terminal(*words, env=env)[1]
        assert "\x1b" not in sallyport(*words).stdout
    assert "\x1b[31m" in on_a_terminal("status", "none.example")[1]
    (LIVE["requests"] / "3.json").unlink()


def test_plan_is_a_diff(site):
    request = json.dumps({"domain": site.domain, "shell": "bash", "authorized_keys": [{"key": SPARE.public}]})
    lines = sallyport("plan", "-", input=request).stdout.splitlines()
    assert lines[0] == "dry run: nothing was changed" and re.fullmatch(rf"{site.domain} \(user {site.name}\): \d+ changes", lines[1])
    at = lines.index(f"  shell {site.name}")
    assert lines[at + 1:at + 3] == [f"    - {sp.CHROOT_BASH}", "    + /bin/bash"]
    assert sp_site.login_shell(site) == sp.CHROOT_BASH
    assert sallyport("apply", "-", "--dry-run", input=request).stdout.splitlines() == lines


ASKED = [["remove", "{domain}"], ["sessions", "end", "{domain}"], ["users", "remove", "{domain}", "nobody1"], ["global-keys", "remove", SPARE.fingerprint],
         ["firewall", "close", "--force"], ["certificates", "revoke", "{domain}"], ["certificates", "ca", "rotate"], ["certificates", "ca", "drop", "1"]]


@pytest.mark.parametrize("words", ASKED, ids=lambda words: " ".join(words))
def test_what_is_final_wants_yes_where_nobody_can_be_asked(site, words):
    words = [word.format(domain=site.domain) for word in words]
    before = sp.rpc("domain.get", {"domain": site.domain}).ok()
    done = sallyport(*words, input="y\n")
    assert done.rc == 5 and ": this " in done.stderr and "add --yes" in done.stderr and done.stdout == "", done
    assert sp.rpc("domain.get", {"domain": site.domain}).ok() == before and sp.rpc("firewall.get", {}).ok()["mode"] != "closed"


def test_on_a_terminal_it_shows_what_it_would_do_and_asks(host):
    user = sp_site.account("chroot", keys=[KEY])
    for answer, status in (("\n", 5), ("no\n", 5), ("y\n", 0)):
        with Terminal.local(["sallyport", "remove", user.domain]) as term:
            term.expect("dry run: nothing was changed")
            term.expect(rf"shell {user.name}: ")
            term.expect(r"this ends its sessions.*\[y/N\] ")
            assert sp_site.login_shell(user) == sp.CHROOT_BASH
            term.send(answer)
            assert term.wait() == status
    assert sp_site.login_shell(user) == "/bin/false"


def test_long_work_has_a_bar_on_a_terminal_alone(site, tmp_path):
    for n in range(40):
        (tmp_path / f"{n:02}.json").write_text(json.dumps({"domain": site.domain, "dry_run": True}))
    status, screen = on_a_terminal("apply", str(tmp_path))
    assert status == 0 and re.search(r"\r\x1b\[K\[[#.]{24}\] \d+/40 \d\d\.json", screen) and "40 requests: 40 done" in screen
    done = sallyport("apply", tmp_path)
    assert done.rc == 0 and done.stderr == ""


def test_a_customers_names_drive_no_terminal(site):
    """A file name in a finding, a foreign key's place, a program's own words: whatever the customer's, it is shown without control bytes."""
    evil = "\x1b]0;owned\x07\x9b31m\u202e"
    pathlib.Path(site.home, ".ssh", "authorized_keys").open("a").write(f"{sp.keypair('stranger').public} {evil}\n")
    pathlib.Path(site.home, f"{evil}.txt").write_text("")
    pathlib.Path(site.home, ".ssh", "rc").write_text(f"#!{evil}\n")
    for words in (["keys", "list", site.domain], ["status", site.domain], ["doctor", site.domain], ["certificates", "why", site.domain], ["status", f"x{evil}.example"], [evil]):
        for more in ([], ["--json"]):
            screen = on_a_terminal(*words, *more, env=["NO_COLOR=1"], cols=200)[1]
            assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f\u202a-\u202e\u2066-\u2069]", screen), (words, screen)


def test_help_comes_without_root_and_points_to_a_page_that_is_there(host):
    """That it fits a screen, and says what the page says: tests/manpages.py."""
    for verb in VERBS:
        done = sp.run(["setpriv", "--reuid=65534", "--clear-groups", "sallyport", verb, "--help"])
        assert done.rc == 0 and done.stdout.endswith(f"more: man sallyport-{verb}\n") and done.stderr == ""
        assert list(pathlib.Path("/usr/share/man/man8").glob(f"sallyport-{verb}.8*"))
    assert sallyport("keys", "x", "-h").stdout == sallyport("help", "keys").stdout
    assert sp.run(["setpriv", "--reuid=65534", "--clear-groups", "sallyport", "list"]).rc == 6
