# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/table, safety 5, 7, 10, 11, 12: what the requests say; and every method, from the published schema."""

import base64
import json
import os
import pathlib

import pytest

import sp
from sp_safety import CODES, apply, batch, get, managed, nothing_written, refused, request

SCHEMA = json.loads((pathlib.Path(__file__).parents[2] / "templates/request.schema.json").read_text())["$defs"]
METHODS = sorted(name[len("params."):] for name in SCHEMA if name.startswith("params."))
GOOD = {"domain": "schema.example", "key": sp.keypair().public, "fingerprint": "SHA256:" + "A" * 43, "password": "x", "profiles": ["base"],
        "number": 1, "user": "technician", "token": "0123456789abcdef"}
WRONG = {"string": [0, True, None, [], {}], "integer": ["1", 1.5, True, None, []], "boolean": ["true", 1, None, []],
         "array": ["x", {}, 1, None], "object": ["x", [], 1, None]}


def resolve(part):
    while "$ref" in part:
        part = SCHEMA[part["$ref"][len("#/$defs/"):]]
    return part


def properties():
    """Each field of each method, with its type."""
    for method in METHODS:
        for name, part in SCHEMA[f"params.{method}"]["properties"].items():
            part = resolve(part)
            yield method, name, part.get("type", "string" if "enum" in part else "string or null")


def needed(method):
    return {name: GOOD[name] for name in SCHEMA[f"params.{method}"]["required"]}


WRONG_TYPES = [(method, name, value) for method, name, kind in properties()
               for value in WRONG.get(kind, [0, True, [], {}])]


@pytest.fixture(scope="module")
def site(host):
    sp.rpc("firewall.set", {"mode": "unmanaged"}).ok()
    with open("/etc/sallyport/sallyport.conf.d/admin.conf", "w", encoding="ascii") as file:  # each method shall read its fields
        file.write("panel_methods = " + " ".join(METHODS) + "\n")
    return managed()


@pytest.fixture(scope="module")
def newcomer(host):
    """A user without access. The file that its lock is taken on is there: a refused request makes no other."""
    user = sp.make_user()
    refused(apply(user, document_root="/var/www/missing", shell="bash"), "not_found")
    return user


@pytest.mark.parametrize("method, name, value", WRONG_TYPES)
def test_safety_05_a_field_of_the_wrong_type_is_refused(site, method, name, value):
    refused(sp.rpc(method, {**needed(method), name: value}), "invalid", f"params.{name}")


@pytest.mark.parametrize("method", METHODS)
def test_safety_05_an_unknown_field_is_refused_by_every_method(site, method):
    with nothing_written(site.home):
        refused(sp.rpc(method, {**needed(method), "no_such_field": 1}), "invalid", "params.no_such_field")


@pytest.mark.parametrize("method, name", [(method, name) for method in METHODS for name in needed(method)])
def test_safety_05_a_missing_field_is_refused(site, method, name):
    params = needed(method)
    del params[name]
    refused(sp.rpc(method, params), "invalid", f"params.{name}")


def test_safety_05_the_schema_lists_the_methods_that_there_are(host):
    assert sorted(sp.rpc("system.info").ok()["methods"]) == METHODS


@pytest.mark.parametrize("method", [name for name in METHODS if "domain" in needed(name) and name != "domain.remove"])
def test_a_domain_without_access_is_not_found(site, method):
    params = {**needed(method), "domain": "unknown.example"}
    reason = {"invalid"} if method == "domain.apply" else {"not_found"}
    with nothing_written(site.home):
        refused(sp.rpc(method, params), reason)


@pytest.mark.parametrize("field", ["authorized_keys", "sources", "jail"])
@pytest.mark.parametrize("member", [1, None, True, [], "base\n", {"x": 1}])
def test_safety_05_a_member_of_the_wrong_type_is_refused(site, field, member):
    value = {"profiles": [member]} if field == "jail" else [member]
    error = refused(sp.rpc("domain.apply", {"domain": site.domain, field: value}), "invalid")
    assert error["data"]["field"].startswith(f"params.{field}") and "[0]" in error["data"]["field"], error


# Batches

def test_a_batch_is_done_one_by_one_and_its_exit_status_is_the_first_errors(site):
    other = sp.make_user()
    params = {"domain": other.domain, "user": other.name, "document_root": other.docroot, "shell": "bash"}
    answer = batch(request("domain.get", {"domain": "unknown.example"}, id=1), request("domain.apply", params, id=2),
                   request("no.such", id=3), request("domain.get", {"domain": other.domain}, id=4))
    assert [one["id"] for one in answer.body] == [1, 2, 3, 4]
    assert [("result" in one) for one in answer.body] == [False, True, False, True]
    assert answer.exit == CODES["not_found"][1]
    assert answer.body[3]["result"]["shell"] == "bash"


def test_a_batch_in_which_all_went_well_exits_with_zero(site):
    answer = batch(*[request("domain.get", {"domain": site.domain}, id=number) for number in range(20)])
    assert answer.exit == 0 and [one["id"] for one in answer.body] == list(range(20))


@pytest.mark.parametrize("member", [None, 1, "x", [], [1], {}, {"jsonrpc": "2.0", "id": 1}])
def test_a_batch_with_a_member_that_is_no_request_answers_for_each(site, member):
    answer = batch(member, request("domain.get", {"domain": site.domain}))
    assert len(answer.body) == 2 and answer.exit == CODES["invalid_request"][1]
    assert answer.body[0]["error"]["data"]["reason"] == "invalid_request" and answer.body[0]["id"] in (None, 1)
    assert answer.body[1]["result"]["user"] == site.name


def test_a_batch_too_large_is_refused_whole_and_one_that_fits_is_answered(site):
    many = [request("domain.remove", {"domain": f"d{number}.example"}, id=number) for number in range(1000)]
    answer = batch(*many)
    assert answer.exit == 0 and len(answer.body) == 1000
    assert not any(one["result"]["changed"] for one in answer.body)
    with nothing_written(site.home):
        refused(batch(*(many * 20)), "parse_error")


# 7

def blob(*words):
    return base64.b64encode(b"".join(len(word).to_bytes(4, "big") + word for word in words)).decode()


def bad_keys():
    good = sp.keypair().public
    kind, body, comment = good.split()
    other = sp.keypair("other").public
    return {
        "newline": good + "\n" + other, "newline in the comment": good + "\nssh-rsa AAAA", "two keys": good + " " + other,
        "type unlike its blob": f"ssh-rsa {body} {comment}",
        "unknown type": f"ssh-foo {blob(b'ssh-foo', b'x' * 32)}", "no body": kind, "empty": "", "blank": "  ",
        "comment sign": "# " + good, "cut": f"{kind} {body[:-8]}", "one more byte": f"{kind} {blob(b'ssh-ed25519', b'x' * 33)}",
        "tail after the key": f"{kind} {blob(b'ssh-ed25519', b'x' * 32, b'tail')}", "not base64": f"{kind} !!!!{body[4:]}",
        "url base64": f"{kind} {blob(b'ssh-ed25519', bytes([0xfb] * 32)).replace('+', '-')}",
        "dsa": f"ssh-dss {blob(b'ssh-dss', b'x' * 20)}", "line of 20 kB": good + "x" * 20000, "body of 20 kB": f"{kind} {blob(b'ssh-ed25519', b'x' * 15000)}",
        "private": pathlib.Path(sp.keypair().path).read_text(), "delete byte": good + "\x7f", "escape": good + "\x1b[2J",
        "pem": "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----", "certificate": f"ssh-ed25519-cert-v01@openssh.com {body}",
        "rsa of 512 bits": f"ssh-rsa {blob(b'ssh-rsa', bytes([1, 0, 1]), bytes([0]) + bytes([0xff] * 64))}", "cert-authority": "cert-authority " + good,
    }


BAD_KEYS = ["newline", "newline in the comment", "two keys", "type unlike its blob", "unknown type", "no body", "empty",
            "blank", "comment sign", "cut", "one more byte", "tail after the key", "not base64", "url base64", "dsa", "line of 20 kB", "body of 20 kB",
            "private", "delete byte", "escape", "pem", "certificate", "rsa of 512 bits", "cert-authority"]


@pytest.mark.parametrize("name", BAD_KEYS)
def test_safety_07_a_key_that_is_not_one_plain_key_is_refused(site, name):
    key = bad_keys()[name]
    with nothing_written(site.home):
        refused(sp.rpc("keys.add", {"domain": site.domain, "key": key}), "invalid", "params.key")
        answer = sp.rpc("domain.apply", {"domain": site.domain, "authorized_keys": [{"key": sp.keypair("fine").public}, {"key": key}]})
        error = refused(answer, "invalid", "params.authorized_keys[1].key")
    assert "PRIVATE KEY-----" not in error["message"] + error["data"]["hint"]


def test_safety_07_the_list_of_bad_keys_is_whole(host):
    assert sorted(bad_keys()) == sorted(BAD_KEYS)


def test_safety_07_a_private_key_reaches_no_log(site):
    secret = bad_keys()["private"].splitlines()[2]
    sp.rpc("keys.add", {"domain": site.domain, "key": bad_keys()["private"]})
    assert not sp.syslog_lines(secret[:30])


@pytest.mark.parametrize("field, value", [
    ("label", "a\nb"), ("label", "a\rb"), ("label", "\x1b[2J"), ("label", "x" * 200), ("label", "a\u202eb"), ("label", "a\u2028b"),
    ("from", ["10.0.0.1,*"]), ("from", ["*"]), ("from", ["example.com"]), ("from", ["10.0.0.5/24"]), ("from", ['1.2.3.4"']),
    ("from", ["!10.0.0.1"]), ("from", ["1.2.3.4\n"]), ("from", ["0.0.0.0/0"]), ("from", [""]), ("from", ["::ffff:1.2.3.4"]),
    ("expires_at", "2027-01-01"), ("expires_at", "tomorrow"), ("expires_at", "2027-02-30T00:00:00Z"), ("expires_at", ""),
    ("expires_at", "2027-01-01T00:00:00Z\n"), ("expires_at", "2027-01-01T25:00:00Z"), ("expires_at", "20270101000000"),
])
def test_safety_07_what_would_break_a_line_of_options_is_refused(site, field, value):
    whole = {"key": sp.keypair("options").public, field: value}
    with nothing_written(site.home):
        refused(sp.rpc("keys.add", {"domain": site.domain, **whole}), "invalid", f"params.{field}" + "[0]" * isinstance(value, list))
        refused(sp.rpc("domain.apply", {"domain": site.domain, "authorized_keys": [whole]}), "invalid",
                f"params.authorized_keys[0].{field}" + "[0]" * isinstance(value, list))


def test_safety_07_one_key_twice_in_a_list_is_refused(site):
    key = {"key": sp.keypair("twice").public}
    with nothing_written(site.home):
        refused(sp.rpc("domain.apply", {"domain": site.domain, "authorized_keys": [key, {**key, "label": "again"}]}), "invalid")


@pytest.mark.parametrize("fingerprint", ["", "SHA256:", "MD5:00:11", "SHA256:" + "A" * 44, "SHA256:" + "A" * 42 + "\n", "../x", "AAAA"])
def test_safety_07_a_fingerprint_that_is_none_is_refused(site, fingerprint):
    with nothing_written(site.home):
        refused(sp.rpc("keys.remove", {"domain": site.domain, "fingerprint": fingerprint}), "invalid", "params.fingerprint")


# 10

@pytest.fixture(scope="module")
def strangers(host):
    """Names that a request must not give access."""
    sp.run(["useradd", "-r", "-s", "/bin/false", "daemon9"], check=True)
    sp.run(["useradd", "-o", "-u", "0", "-g", "0", "-M", "-s", "/bin/bash", "toor"], check=True)
    sp.run(["useradd", "-u", "2000000001", "-M", "-s", "/bin/false", "toohigh"], check=True)
    sp.run(["useradd", "-u", "1900", "-M", "-s", "/bin/false", "psaadm"], check=True)


@pytest.mark.parametrize("name, reason", [
    ("root", "forbidden"), ("toor", "forbidden"), ("daemon9", "forbidden"), ("www-data", "forbidden"), ("nobody", "forbidden"),
    ("sshd", "forbidden"), ("psaadm", "forbidden"), ("toohigh", "forbidden"), ("0", "invalid"), ("1000", "invalid"), ("-1", "invalid"),
    ("4294967295", "invalid"), ("4294967296", "invalid"), ("nosuchuser", "not_found"), ("+", "invalid"), ("ROOT", "not_found"),
])
def test_safety_10_root_system_users_numbers_and_unknown_names_get_no_access(strangers, newcomer, name, reason):
    params = {"domain": newcomer.domain, "user": name, "document_root": newcomer.docroot, "shell": "bash",
              "authorized_keys": [{"key": sp.keypair().public}]}
    with nothing_written(newcomer.home):
        for dry_run in (False, True):
            refused(sp.rpc("domain.apply", {**params, "dry_run": dry_run}), reason, "params.user")


def test_safety_10_a_user_outside_the_required_groups_is_forbidden(newcomer):
    pathlib.Path("/etc/sallyport").mkdir(exist_ok=True)
    conf = pathlib.Path("/etc/sallyport/sallyport.conf")
    old = conf.read_text() if conf.exists() else None
    conf.write_text("required_groups = psacln\n")
    try:
        sp.run(["groupadd", "-f", "psacln"], check=True)
        with nothing_written(newcomer.home):
            refused(apply(newcomer, shell="bash"), "forbidden", "params.user")
    finally:
        conf.unlink() if old is None else conf.write_text(old)


def test_safety_10_a_document_root_of_another_user_is_unsafe(site, newcomer):
    params = {"domain": newcomer.domain, "user": newcomer.name, "document_root": site.docroot, "shell": "chroot"}
    with nothing_written(site.home, newcomer.home):
        refused(sp.rpc("domain.apply", params), "unsafe_path", "params.document_root")


def test_safety_10_a_document_root_that_others_can_write_is_unsafe(newcomer):
    params = {"domain": newcomer.domain, "user": newcomer.name, "document_root": newcomer.docroot, "shell": "chroot"}
    pathlib.Path(newcomer.docroot).chmod(0o757)
    with nothing_written(newcomer.home):
        assert "o-w" in refused(sp.rpc("domain.apply", params), "unsafe_path", "params.document_root")["data"]["hint"]
    pathlib.Path(newcomer.docroot).chmod(0o755)
    sp.rpc("domain.apply", params | {"dry_run": True}).ok()


def test_safety_10_a_domain_cannot_be_taken_by_another_user(site, newcomer):
    params = {"domain": site.domain, "user": newcomer.name, "document_root": newcomer.docroot, "shell": "bash"}
    with nothing_written(site.home, newcomer.home):
        refused(sp.rpc("domain.apply", params), "conflict", "params.user")


# 11

@pytest.mark.parametrize("text", ["a\nsallyport[1]: domain.apply x: ok", "\x1b]0;x\x07", '" RESULT="ok', "\x85next", "\u2028next", "a\\x0ab"])
def test_safety_11_what_a_request_says_forges_no_log_line(site, text):
    def sent(**more):
        mark = len(sp.syslog_lines("sallyport["))
        sp.rpc_raw(json.dumps({**request("domain.get", {"domain": site.domain}), **more}))
        lines = sp.wait_for(lambda: sp.syslog_lines("sallyport[")[mark:], what="the line")
        assert len(lines) == 1, lines
        assert all(char.isprintable() for char in lines[0]), lines
        assert "\\n" not in lines[0] and not lines[0].startswith("sallyport"), lines
        return lines[0]

    assert sent(id=text[:100]).count(' RESULT="') == 1
    assert 'METHOD="unknown"' in sent(method=text)
    assert 'RESULT="invalid"' in sent(params={"domain": text})
    assert 'RESULT="invalid"' in sent(params={"domain": site.domain, text: 1})


def test_safety_11_every_request_leaves_one_line_failed_ones_too(site):
    mark = len(sp.syslog_lines("sallyport["))
    for raw in (b"x", b"[]", b"{}", json.dumps(request("domain.list")), json.dumps([request("domain.list"), request("no.such")])):
        sp.rpc_raw(raw)
    sp.wait_for(lambda: len(sp.syslog_lines("sallyport[")) - mark >= 6, what="six lines")
    assert len(sp.syslog_lines("sallyport[")) - mark == 6


# 12

@pytest.mark.parametrize("source", [
    "0.0.0.0/0", "::/0", "10.0.0.5/24", "010.1.2.3", "0x7f.1", "10.1", "localhost", "10.0.0.1-10.0.0.9", "10.0.0.*", "fe80::1%eth0",
    "::ffff:1.2.3.4", "224.0.0.1", "240.0.0.1", "0.0.0.0", "127.0.0.1", "fe80::/10", "1.2.3.4/33", "2001:db8::/129", "1.2.3.4\n", "",
])
def test_safety_12_a_source_that_is_no_plain_block_is_refused(site, source):
    with nothing_written(site.home):
        refused(sp.rpc("firewall.set", {"mode": "restricted", "sources": [{"source": source}]}), "invalid")
        refused(sp.rpc("domain.apply", {"domain": site.domain, "sources": [source]}), "invalid", "params.sources[0]")


@pytest.mark.parametrize("more", [{"comment": "a\nb"}, {"comment": "x" * 1025}, {"expires_at": "2001-01-01T00:00:00Z"}, {"port": 22}])
def test_safety_12_a_source_with_a_bad_comment_or_expiry_is_refused(site, more):
    with nothing_written(site.home):
        refused(sp.rpc("firewall.set", {"mode": "restricted", "sources": [{"source": "192.0.2.0/24", **more}]}), "invalid")


@pytest.mark.parametrize("params", [{"mode": "restricted"}, {"mode": "closed"}, {"mode": "off"}, {"mode": "restricted", "sources": []}])
def test_safety_12_a_mode_that_shuts_everybody_out_or_does_not_exist_is_refused(site, params):
    with nothing_written(site.home):
        refused(sp.rpc("firewall.set", params), {"invalid", "lockout"})


# What a refused transaction must not have done before

def test_a_stale_generation_changes_nothing_not_even_the_firewall(host):
    user = managed()
    sp.rpc("firewall.set", {"mode": "restricted", "sources": [{"source": "192.0.2.0/24"}],
                            "force": True}).ok()
    try:
        sp.rpc("domain.apply", {"domain": user.domain, "sources": ["198.51.100.0/24"]}).ok()
        rules = sp.run(["nft", "list", "ruleset"], check=True).stdout
        assert "198.51.100.0" in rules
        stale = {"domain": user.domain, "if_generation": 999}
        with nothing_written(user.home):
            refused(sp.rpc("domain.remove", stale), "conflict", "params.if_generation")
            refused(sp.rpc("domain.apply", {**stale, "shell": "none"}), "conflict", "params.if_generation")
            refused(sp.rpc("domain.apply", {**stale, "sources": []}), "conflict", "params.if_generation")
        assert sp.run(["nft", "list", "ruleset"], check=True).stdout == rules
        assert get(user)["sources"] == ["198.51.100.0/24"]
    finally:
        sp.rpc("firewall.set", {"mode": "unmanaged"}).ok()


# The configuration's files (sallyport.conf(5))

def settings(**files):
    """Files of the two drop-in directories by name: "vendor/10-a": text. None: a link to /dev/null. Gone afterwards."""
    places = {"vendor": "/usr/share/sallyport/sallyport.conf.d", "local": "/etc/sallyport/sallyport.conf.d"}
    for name, text in files.items():
        place, _, name = name.partition("/")
        path = pathlib.Path(places[place], f"{name}.conf")
        path.parent.mkdir(exist_ok=True)
        path.symlink_to("/dev/null") if text is None else path.write_text(text)
        yield path


@pytest.mark.parametrize("files, uid_max", [
    ({"vendor/10": "uid_max = 5"}, 5),
    ({"vendor/10": "uid_max = 5", "local/05": "uid_max = 6"}, 6),
    ({"vendor/10": "uid_max = 5", "local/10": "# nothing"}, 2000000000),
    ({"vendor/10": "uid_max = 5", "local/10": None}, 2000000000),
    ({"local/10": "uid_max = 5", "local/20": "uid_max = 6 # more\n"}, 6),
    ({"local/20": "uid_max = 6", "local/3": "uid_max = 7"}, 7),
    ({"local/.10": "uid_max = 5"}, 2000000000),
])
def test_a_later_file_wins_and_one_of_the_same_name_hides(newcomer, files, uid_max):
    written = list(settings(**files))
    try:
        answer = apply(newcomer, shell="bash", dry_run=True)
        if uid_max == 2000000000:
            answer.ok()
        else:
            assert f"outside 1000..{uid_max}" in refused(answer, "forbidden", "params.user")["message"]
    finally:
        for path in written:
            path.unlink()


@pytest.mark.parametrize("text, field", [("[main]\ndenied_users = x", "sallyport.conf"), ("denied_users", "sallyport.conf"),
                                         ("\nuid_max = many", "sallyport.conf.uid_max"), ("surprise = 1", "sallyport.conf.surprise"),
                                         ('denied_users = "x"', "sallyport.conf"), ("uid_max = 5\nuid_max = 6", "sallyport.conf")])
def test_a_configuration_that_is_not_understood_allows_nothing_and_names_the_line(host, text, field):
    path, = settings(**{"local/90": text})
    try:
        with nothing_written():
            message = refused(sp.rpc_raw(json.dumps(request("system.info"))), "invalid", field)["message"]
        assert f"{path}, line " in message, message
    finally:
        path.unlink()


def test_a_configuration_that_cannot_be_read_allows_nothing(host):
    path = pathlib.Path("/etc/sallyport/sallyport.conf.d/90.conf")
    os.mkfifo(path)
    try:
        with nothing_written():
            refused(sp.rpc_raw(json.dumps(request("system.info"))), {"unsafe_path", "io"}, "sallyport.conf")
    finally:
        path.unlink()
