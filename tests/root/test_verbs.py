# SPDX-License-Identifier: GPL-3.0-or-later
"""The admin's verbs, as somebody types them."""

import datetime
import json
import pathlib

import pytest

import sp
import sp_site


def sallyport(*argv, **more):
    return sp.run(["sallyport", *map(str, argv)], **more)


@pytest.fixture(scope="module")
def site(host):
    return sp_site.account()


def test_enable_and_disable_are_a_login_and_none(host):
    user = sp.make_user()
    done = sallyport("enable", user.domain, "--user", user.name, "--document-root", user.docroot)
    assert done.rc == 0 and "chroot-bash" in done.stdout, done
    assert sallyport("keys", "add", user.domain, sp.keypair().path + ".pub").rc == 0
    assert sp.ssh(user, "id -un").stdout == user.name + "\n"
    assert sallyport("disable", user.domain).rc == 0
    assert sp.ssh(user, "true").rc != 0
    assert sallyport("enable", user.domain, "bash").rc == 0
    assert sp.ssh(user, "cat /proc/1/comm").rc == 0 and sp_site.login_shell(user) == "/bin/bash"
    wrong = sallyport("enable", user.domain, "zsh")
    assert wrong.rc == 5 and "bash or chroot" in wrong.stderr


def test_a_directory_of_requests_is_carried_out_and_one_that_fails_stops_none(host, tmp_path):
    users = [sp.make_user() for _ in range(3)]
    for n, user in enumerate(users):
        request = {"domain": user.domain, "user": user.name, "document_root": user.docroot, "shell": "bash",
                   "authorized_keys": [{"key": sp.keypair().public}]}
        (tmp_path / f"{n}.json").write_text(json.dumps(request if n != 1 else {**request, "shell": "csh"}))
    (tmp_path / "README").write_text("not a request")
    dry = sallyport("apply", tmp_path, "--dry-run")
    assert dry.rc == 20 and sp_site.login_shell(users[0]) == "/bin/false", dry
    done = sallyport("apply", tmp_path)
    assert done.rc == 20 and "3 requests: 2 done, 1 failed" in done.stdout, done
    assert "(in 1.json)" in done.stderr and "shell" in done.stderr
    assert [sp.ssh(user, "true").rc for user in users] == [0, 255, 0]
    assert "nothing to change" in sallyport("apply", tmp_path / "0.json").stdout
    assert sallyport("apply", tmp_path / "none.json").rc == 7


def test_for_counts_from_now(site):
    done = sallyport("keys", "add", site.domain, sp.keypair("visitor").path + ".pub", "--for", "1d12h", "--json")
    assert done.rc == 0, done
    key = [k for k in sp.rpc("keys.list", {"domain": site.domain}).ok()["keys"]
           if k["fingerprint"] == sp.keypair("visitor").fingerprint][0]
    left = datetime.datetime.fromisoformat(key["expires_at"].replace("Z", "+00:00")) - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(hours=35, minutes=59) < left <= datetime.timedelta(hours=36)
    for text in ("8x", "h", "0m", "-1h", ""):
        assert sallyport("keys", "add", site.domain, sp.keypair("visitor").path + ".pub", f"--for={text}").rc == 5
    both = sallyport("firewall", "allow", "203.0.113.7", "--for", "8h", "--expires-at", "2030-01-01T00:00:00Z")
    assert both.rc == 5 and "twice" in both.stderr


def test_list_is_a_table_with_a_row_a_domain(site):
    lines = sallyport("list").stdout.splitlines()
    assert lines[0].split() == ["DOMAIN", "USER", "SHELL", "KEYS", "DOCUMENT", "ROOT"]
    row = [line.split() for line in lines if line.startswith(site.domain + " ")]
    assert row and row[0][1:3] == [site.name, "chroot"] and row[0][4] == site.docroot
    sp.rpc("account.suspend", {"domain": site.domain}).ok()
    assert any(line.startswith(site.domain) and line.rstrip().endswith("suspended")
               for line in sallyport("list").stdout.splitlines())
    sp.rpc("account.resume", {"domain": site.domain}).ok()


def test_completion_offers_verbs_options_and_domains(site):
    script = "/usr/share/bash-completion/completions/sallyport"
    assert pathlib.Path(script).exists()

    def offered(*words):
        line = "source {}; COMP_WORDS=({}); COMP_CWORD={}; _sallyport; printf '%s\\n' \"${{COMPREPLY[@]}}\"".format(
            script, " ".join(f"'{w}'" for w in ("sallyport", *words)), len(words))
        return sp.run(["bash", "-c", line], check=True).stdout.split()

    assert "doctor" in offered("doc") and offered("xyz") == []
    assert "--expires-at" in offered("keys", "--e")
    assert site.domain in offered("status", site.domain[:4])
    assert "restrict" in offered("firewall", "res")
