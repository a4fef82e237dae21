# SPDX-License-Identifier: GPL-3.0-or-later
"""system.host and `sallyport host`: what a client needs to know of this host, beside what OpenSSH's own tools say."""

import pathlib
import socket

import pytest

import sp
import sp_site
import sp_sshd
from sp_safety import refused

ETC = pathlib.Path("/etc/ssh")


@pytest.fixture(scope="module")
def site(host):
    return sp_site.account("bash")


def told(**params):
    return sp.rpc("system.host", params).ok()


def publics():
    return [path for kind in ("rsa", "ecdsa", "ed25519") if (path := ETC / f"ssh_host_{kind}_key.pub").exists()]


def test_the_fingerprints_are_those_of_ssh_keygen(site):
    keys = told()["host_keys"]
    assert len(keys) == len(publics()) >= 3
    for key, path in zip(keys, publics()):
        assert key["fingerprint"] == sp.run(["ssh-keygen", "-lf", path], check=True).stdout.split()[1]
        assert key["fingerprint_md5"] == sp.run(["ssh-keygen", "-E", "md5", "-lf", path], check=True).stdout.split()[1]


def test_the_sshfp_records_are_those_of_ssh_keygen(site):
    records = [key["sshfp"] for key in told(host="ssh.example.com")["host_keys"]]
    for record, path in zip(records, publics()):
        wanted = sp.run(["ssh-keygen", "-r", "ssh.example.com.", "-f", path], check=True).stdout.splitlines()
        assert record in wanted, (record, wanted)


def test_a_client_that_was_given_the_known_hosts_lines_gets_in_and_asks_nothing(host, site, tmp_path):
    known = tmp_path / "known_hosts"
    for port, more in ((22, ""), (2022, "\nPort 2022\n")):
        with sp_sshd.configured(host, end=more):
            answer = told(domain=site.domain, host="127.0.0.1")
            assert answer["ports"] == [port] and answer["connection"]["port"] == port
            for key in answer["host_keys"]:
                known.write_text(key["known_hosts"] + "\n")
                done = sp.ssh(site, "echo in", arguments=["-p", str(port)], options=[
                    f"UserKnownHostsFile={known}", "StrictHostKeyChecking=yes",
                    f"HostKeyAlgorithms={key['type'].replace('ssh-rsa', 'rsa-sha2-512')}"])
                assert done.stdout == "in\n", (key, done)
            known.write_text("127.0.0.1 " + sp.keypair().public + "\n")
            assert sp.ssh(site, "echo in", arguments=["-p", str(port)],
                          options=[f"UserKnownHostsFile={known}", "StrictHostKeyChecking=yes"]).rc == 255


def test_the_settings_can_be_copied(site, tmp_path):
    answer = told(domain=site.domain, host="127.0.0.1")["connection"]
    ed25519 = [key["fingerprint"] for key in told()["host_keys"] if key["type"] == "ssh-ed25519"]
    assert (answer["user"], answer["fingerprint"]) == (site.name, ed25519[0])
    config = tmp_path / "config"
    config.write_text(answer["ssh_config"])
    shown = sp.run(["ssh", "-G", "-F", config, site.domain], check=True).stdout.splitlines()
    assert {f"user {site.name}", "hostname 127.0.0.1", "port 22"} <= set(shown)
    assert answer["ssh"] == f"ssh -p 22 {site.name}@127.0.0.1"
    assert answer["putty"] == f"putty.exe -ssh -P 22 -hostkey {ed25519[0]} {site.name}@127.0.0.1"


def test_without_a_name_it_is_the_hosts_own(site):
    answer = told()
    assert answer["host"] == socket.gethostname() and "connection" not in answer


@pytest.mark.parametrize("name", ["", "-oProxyCommand=x", "a b", "a\nb", "a;b", "x" * 254, "$(id)"])
def test_what_is_no_name_of_a_host_is_refused(site, name):
    refused(sp.rpc("system.host", {"host": name}), "invalid", "params.host")


def test_the_verb_shows_it(site):
    shown = sp.run(["/usr/bin/sallyport", "host", site.domain, "--host", "ssh.example.com"], check=True).stdout
    for word in ("MD5:", "SHA256:", "IN SSHFP 4 2 ", "ssh.example.com ssh-ed25519 AAAA", f"ssh -p 22 {site.name}@ssh.example.com"):
        assert word in shown, (word, shown)
