# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible collection: its modules beside the schema, their examples as they stand, and a playbook against two hosts."""

import contextlib
import importlib
import json
import os
import pathlib
import pwd
import re
import subprocess
import sys

import pytest
import yaml

import sp
import sp_site

COLLECTIONS = pathlib.Path("/usr/share/ansible/collections")
COLLECTION = COLLECTIONS / "ansible_collections/sallyport/sallyport"
sys.path.append(str(COLLECTIONS))
SOURCE = pathlib.Path(__file__).resolve().parents[2]
METHODS = {"domain": "domain.apply", "firewall": "firewall.set"}
# What a module leaves out of its method, and why.
LEFT_OUT = {
    "dry_run": "check mode",
    "fingerprint": "in a request it may only say what the key says",
    "added_at": "of answers",
    "added_by": "of answers",
    "last_used": "of answers",
    "last_used_from": "of answers",
    "last_used_told_by": "of answers",
}
# What a module has beside its method.
OWN = {"domain": {"state"}, "firewall": {"confirm"}}
TYPES = {"string": "str", "integer": "int", "boolean": "bool", "array": "list", "object": "dict"}


def ansible(program, *words, **more):
    env = {"PATH": os.environ["PATH"], "HOME": "/tmp/controller", "LANG": "C.UTF-8", "ANSIBLE_HOST_KEY_CHECKING": "False",
           "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "False",
           "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=5",
           "ANSIBLE_PIPELINING": "True"}
    os.makedirs("/tmp/controller", exist_ok=True)
    return sp.run([program, *words], env=env, cwd="/tmp/controller", timeout=120, **more)


def local(play, *words):
    """Runs tasks on the throwaway host itself."""
    path = pathlib.Path("/tmp/play.yml")
    path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": play}]))
    return ansible("ansible-playbook", "-i", "localhost,", "-c", "local", *words, path)


def summary(done):
    """host -> how many tasks were ok, changed, failed, ..."""
    found = {}
    for line in done.stdout.partition("PLAY RECAP")[2].splitlines()[1:]:
        if ":" in line:
            name, _, counts = line.partition(":")
            found[name.strip()] = {word: int(count) for word, count in re.findall(r"(\w+)=(\d+)", counts)}
    assert found, done
    return found


@pytest.fixture(scope="module")
def documents():
    done = ansible("ansible-doc", "-j", *(f"sallyport.sallyport.{name}" for name in METHODS))
    assert done.rc == 0 and "WARNING" not in done.stderr and "ERROR" not in done.stderr, done
    return {name.rpartition(".")[2]: text for name, text in json.loads(done.stdout).items()}


# The modules beside the schema

def resolve(definitions, node):
    """A definition without its references, and without the null of a value that may be taken away."""
    if "$ref" in node:
        return resolve(definitions, definitions[node["$ref"].rpartition("/")[2]])
    if "oneOf" in node:
        return resolve(definitions, next(one for one in node["oneOf"] if one.get("type") != "null"))
    return node


def compare(definitions, node, options, documented, where):
    """What differs between an object of the schema, a module's parameters and their documentation."""
    properties = {name: one for name, one in node["properties"].items() if name not in LEFT_OUT}
    if set(properties) != set(options) or set(properties) != set(documented):
        yield f"{where}: {sorted(set(properties) ^ set(options) | set(properties) ^ set(documented))}"
        return
    for name, one in properties.items():
        one, here, option, text = resolve(definitions, one), f"{where}.{name}", options[name], documented[name]
        kind = TYPES["string" if "enum" in one else one["type"]]
        if {kind, "path" if kind == "str" else kind} < {option["type"], text["type"]} or option["type"] != text["type"]:
            yield f"{here}: type {kind}, {option['type']}, {text['type']}"
        if not (name in node["required"]) == option.get("required", False) == text.get("required", False):
            yield f"{here}: required"
        if not one.get("enum") == option.get("choices") == text.get("choices"):
            yield f"{here}: choices {one.get('enum')}, {option.get('choices')}, {text.get('choices')}"
        inner = resolve(definitions, one["items"]) if kind == "list" else one
        if kind == "list" and not TYPES[inner["type"]] == option["elements"] == text["elements"]:
            yield f"{here}: elements {inner['type']}, {option['elements']}, {text['elements']}"
        if "properties" in inner:
            yield from compare(definitions, inner, option["options"], text["suboptions"], here)


@pytest.mark.parametrize("name", METHODS)
def test_a_module_has_every_parameter_of_its_method(documents, name):
    module = importlib.import_module(f"ansible_collections.sallyport.sallyport.plugins.modules.{name}")
    definitions = json.loads(sp.SCHEMA.read_text())["$defs"]
    documented = {key: text for key, text in documents[name]["doc"]["options"].items() if key not in OWN[name]}
    assert list(compare(definitions, definitions[f"params.{METHODS[name]}"], module.PARAMETERS, documented, name)) == []


def test_the_collection_can_be_built_and_has_the_version_of_sallyport():
    done = ansible("ansible-galaxy", "collection", "build", "--output-path", "/tmp/controller", COLLECTION)
    version = sp.run([sp.HELPER, "--version"]).stdout.split()[1]
    assert done.rc == 0 and pathlib.Path(f"/tmp/controller/sallyport-sallyport-{version}.tar.gz").exists(), done


# The examples

def examples(documents, name, trial=False):
    """The tasks of a module's examples; those of a trial, which belong together, apart from the others."""
    tasks = yaml.safe_load(documents[name]["examples"])
    return [task for task in tasks if trial == any(word in task for word in ("register", "when", "ansible.builtin.meta"))]


def thrice(task, number):
    """The same task in check mode, for real, and once more."""
    word = f"example{number}"
    result = [{**task, "name": f"{task['name']}: {how}", "register": f"{word}{how}", "diff": True, **more}
              for how, more in (("asked", {"check_mode": True}), ("done", {}), ("again", {}))]
    says = [f"{word}asked is changed", f"{word}done is changed", f"{word}again is not changed",
            f"{word}asked.diff == {word}done.diff", f"{word}again.diff.before == '' == {word}again.diff.after",
            f"{word}done.changes | length > 0", f"{word}asked.changes | map(attribute='read_back') | select | list == []"]
    return result + [{"ansible.builtin.assert": {"that": says, "quiet": True}}]


def test_the_examples_do_what_they_say_and_nothing_a_second_time(host, documents):
    sp.make_user("example", home="/var/www/vhosts/example.com")
    tasks = [task for name in METHODS for task in examples(documents, name)]
    assert len(tasks) == 8
    play = [step for number, task in enumerate(tasks) for step in thrice(task, number)]
    done = local(play)
    assert done.rc == 0, done
    assert summary(done)["localhost"]["changed"] == 16
    assert "-shell example: /bin/false" in done.stdout and "+shell example: /usr/libexec/sallyport/chroot-bash" in done.stdout
    assert "+firewall 203.0.113.0/24: allowed (office)" in done.stdout


# What a task hands through

@pytest.fixture(scope="module")
def site(host):
    return sp_site.account(shell="bash")


def domain(user, **params):
    return {"sallyport.sallyport.domain": {"domain": user.domain, "user": user.name, "document_root": user.docroot, **params}}


def test_check_mode_changes_nothing_and_says_what_would(site):
    watched = ["/etc", "/var/lib/sallyport", site.home]
    before = sp.snapshot(watched, times=True)
    done = local([domain(site, shell="none", authorized_keys=[])], "--check", "--diff")
    assert done.rc == 0 and summary(done)["localhost"]["changed"] == 1, done
    assert "-shell %s: /bin/bash" % site.name in done.stdout, done.stdout
    assert before.diff(sp.snapshot(watched, times=True)) == []
    assert sp.ssh(site, "true").rc == 0


def test_a_failure_says_code_reason_field_and_hint(site):
    wrong = {**domain(site, authorized_keys=[{"key": "ssh-ed25519 AAAA"}]), "register": "wrong", "ignore_errors": True}
    says = ["wrong is failed", "wrong.reason == 'invalid'", "wrong.code == -32602", "wrong.hint != ''",
            "wrong.field == 'params.authorized_keys[0].key'", "wrong.field in wrong.msg and wrong.hint in wrong.msg"]
    done = local([wrong, {"ansible.builtin.assert": {"that": says}}])
    assert done.rc == 0, done


def test_values_arrive_as_they_were_meant(site):
    """Dates with and without an end, numbers, truth, lists that are empty and lists that are left out."""
    play = [domain(site, valid_until="2037-01-01T00:00:00Z", limits={"processes": 99}, sources=["192.0.2.0/24", "203.0.113.7"]),
            domain(site, valid_until="", jail={"agent": True, "tmp_mib": 7}), domain(site, sources=[])]
    for number, task in enumerate(play):
        done = local([task])
        assert done.rc == 0 and summary(done)["localhost"]["changed"] == 1, done
        got = sp.rpc("domain.get", {"domain": site.domain}).ok()
        assert got["valid_until"] == ("2037-01-01T00:00:00Z" if number == 0 else None)
        assert got["limits"]["processes"] == 99 and len(got["authorized_keys"]) == 1
        assert got["sources"] == ([] if number == 2 else ["192.0.2.0/24", "203.0.113.7"])
        assert number == 0 or (got["jail"]["agent"] is True and got["jail"]["tmp_mib"] == 7)


def test_a_domain_that_never_was_is_absent_without_a_warning(host):
    done = local([{"sallyport.sallyport.domain": {"domain": "never.example", "state": "absent"}}])
    assert done.rc == 0 and summary(done)["localhost"]["changed"] == 0 and "WARNING" not in done.stdout + done.stderr, done


def test_a_host_without_sallyport_is_told_so(site):
    helper = pathlib.Path(sp.HELPER)
    away = helper.rename(helper.with_name("away"))
    try:
        done = local([domain(site)])
    finally:
        away.rename(helper)
    assert done.rc == 2 and "sallyport is not installed on this host" in done.stdout, done


# Two hosts over ssh

THROWAWAY = """
mkdir -p /run/sshd
/usr/sbin/sshd -E /run/sshd.test.log
readlink /proc/self/ns/net
exec sleep infinity
"""


def in_network(name):
    """A process of this network namespace."""
    for link in pathlib.Path("/proc").glob("[0-9]*/ns/net"):
        with contextlib.suppress(OSError):
            if os.readlink(link) == name:
                return link.parts[2]
    raise AssertionError(f"nobody is in {name}")


def throwaway(number):
    """A host in this host, that starts from what stands here now: its process and its address."""
    env = {**os.environ, "SALLYPORT_NO_BUILD": "1"}
    process = subprocess.Popen([SOURCE / "tests/host", "bash", "-c", THROWAWAY], env=env, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, text=True)
    inside = in_network(process.stdout.readline().strip())
    # The office of the examples.
    here, there = f"203.0.113.{4 * number + 1}", f"203.0.113.{4 * number + 2}"
    sp.run(["ip", "link", "add", f"to{number}", "type", "veth", "peer", "name", "control", "netns", inside], check=True)
    sp.run(["ip", "address", "add", f"{here}/30", "dev", f"to{number}"], check=True)
    sp.run(["ip", "link", "set", f"to{number}", "up"], check=True)
    sp.run(["nsenter", f"--net=/proc/{inside}/ns/net", "ip", "address", "add", f"{there}/30", "dev", "control"], check=True)
    sp.run(["nsenter", f"--net=/proc/{inside}/ns/net", "ip", "link", "set", "control", "up"], check=True)
    return process, there


@pytest.fixture(scope="module")
def two_hosts(host):
    """Two hosts with a user whom the controller logs in as, and who may become root by sudo."""
    sp.run(["useradd", "-m", "-s", "/bin/bash", "deploy"], check=True)
    sp.put_key(sp.User("deploy", *pwd.getpwnam("deploy")[2:4], "/home/deploy", "", ""))
    pathlib.Path("/etc/sudoers.d/deploy").write_text("deploy ALL=(ALL) NOPASSWD: ALL\n")
    hosts = [throwaway(number) for number in (1, 2)]
    yield [address for _, address in hosts]
    for process, _ in hosts:
        process.terminate()
        process.wait(20)


def controller(hosts, program, *words):
    arguments = " ".join(sp.client("ssh")[1:])
    return ansible(program, "-i", ",".join(hosts) + ",", "-u", "deploy", "--ssh-common-args", arguments,
                   "--private-key", sp.keypair().path, *words)


def inventory(**more):
    """The variables of the playbook that the collection brings."""
    path = pathlib.Path("/tmp/domains.json")
    path.write_text(json.dumps({"domains": [
        {"domain": "one.example", "user": "one", "document_root": "/var/www/vhosts/one.example", "jail": {"profiles": ["base"]},
         "authorized_keys": [{"key": sp.keypair().public}]},
        {"domain": "two.example", "user": "two", "document_root": "/var/www/vhosts/two.example", "shell": "bash",
         "authorized_keys": [{"key": sp.keypair().public}]}], **more}))
    return f"@{path}"


def test_a_playbook_furnishes_two_hosts_over_ssh(two_hosts):
    run = ["ansible-playbook", "sallyport.sallyport.hosting", "--diff", "-e"]
    office = [{"source": "203.0.113.0/24", "comment": "office"}]
    done = controller(two_hosts, *run, inventory(ssh_sources=office))
    assert done.rc == 0, done
    assert [summary(done)[address]["changed"] for address in two_hosts] == [4, 4]
    for address in two_hosts:
        jailed = sp.ssh("one", "test -e /boot || echo jailed", host=address)
        assert jailed.stdout == "jailed\n", jailed
        assert sp.ssh("two", "test -e /boot && echo plain", host=address).stdout == "plain\n"
    again = controller(two_hosts, *run, inventory(ssh_sources=office))
    assert again.rc == 0 and [one["changed"] for one in summary(again).values()] == [0, 0], again
    # The controller itself would be shut out: refused, on both, and it comes in again.
    lockout = controller(two_hosts, "ansible", "all", "--become", "-m", "sallyport.sallyport.firewall", "-a",
                         json.dumps({"mode": "restricted", "sources": [{"source": "198.51.100.0/24"}]}))
    assert lockout.rc == 2 and lockout.stdout.count('"reason": "lockout"') == 2, lockout
    assert all(sp.ssh("two", "true", host=address).rc == 0 for address in two_hosts)


def test_a_firewall_on_trial_is_confirmed_over_a_new_connection(two_hosts, documents):
    path = pathlib.Path("/tmp/play.yml")
    path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": examples(documents, "firewall", trial=True)}]))
    done = controller(two_hosts[:1], "ansible-playbook", path)
    assert done.rc == 0 and [one["changed"] for one in summary(done).values()] == [2], done
    again = controller(two_hosts[:1], "ansible-playbook", path)
    assert again.rc == 0 and [(one["changed"], one["skipped"]) for one in summary(again).values()] == [(0, 1)], again


def test_without_become_the_host_refuses(two_hosts):
    done = controller(two_hosts[:1], "ansible", "all", "-m", "sallyport.sallyport.domain", "-a", "domain=one.example state=absent")
    assert done.rc == 2 and '"reason": "forbidden"' in done.stdout and "use sudo" in done.stdout, done
    assert sp.ssh("one", "true", host=two_hosts[0]).rc == 0
