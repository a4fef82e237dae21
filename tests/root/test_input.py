# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/table, safety 1 to 6: bytes that are no honest request are refused whole, and write nothing."""

import json
import pathlib
import subprocess
import threading
import time

import pytest

import sp
from sp_safety import STORE, apply, managed, nothing_written, refused, request

MIB = 1 << 20


@pytest.fixture(scope="module")
def site(host):
    return managed()


@pytest.fixture(scope="module", autouse=True)
def before_all(site):
    """The accounts' files as they are before the first test."""
    return sorted(path.name for path in pathlib.Path(STORE, "state").iterdir())


@pytest.fixture
def newcomer(host, request):
    """A user that sallyport knows nothing of, made once."""
    if not hasattr(request.module, "_newcomer"):
        request.module._newcomer = sp.make_user()
    return request.module._newcomer


def good(newcomer, **more):
    """A request that would be carried out, but for `more`."""
    return request("domain.apply", {"domain": newcomer.domain, "user": newcomer.name, "shell": "bash",
                                    "document_root": newcomer.docroot,
                                    "authorized_keys": [{"key": sp.keypair().public}], **more})


def refuse_bytes(site, raw, reason, field=None):
    if isinstance(raw, str):
        raw = raw.encode("utf-8", "surrogateescape")
    with nothing_written(site.home):
        return refused(sp.rpc_raw(raw), reason, field)


def with_text(user, old, new):
    """A good request with a piece of its text replaced."""
    text = json.dumps(good(user))
    assert text.count(old) == 1, text
    return text.replace(old, new)


@pytest.mark.parametrize("old, new", [
    ('"method": "domain.apply"', '"method": "domain.get", "method": "domain.apply"'),
    ('"id": "test"', '"id": "test", "id": "test"'),
    ('"jsonrpc": "2.0"', '"jsonrpc": "2.0", "jsonrpc": "2.0"'),
    ('"shell": "bash"', '"shell": "none", "shell": "bash"'),
    ('"shell": "bash"', '"shell": "none", "sh\\u0065ll": "bash"'),
    ('"shell": "bash"', '"jail": {"tmp_mib": 1, "tmp_mib": 2}, "shell": "bash"'),
    ('[{"key":', '[{"label": "a", "label": "b", "key":'),
    ('"shell": "bash"', '"x": [[{"a": 1, "a": 1}]], "shell": "bash"'),
])
def test_safety_01_duplicate_keys_are_refused_at_any_depth(newcomer, old, new):
    refuse_bytes(newcomer, with_text(newcomer, old, new), "parse_error")


@pytest.mark.parametrize("old, new", [
    ('"user":', '"User": "root", "user":'), ('[{"key":', '[{"Key": "x", "key":'),
    ('"method": "domain.apply"', '"Method": "domain.list", "method": "domain.apply"'),
])
def test_safety_01_keys_that_differ_in_case_alone_are_refused(newcomer, old, new):
    refuse_bytes(newcomer, with_text(newcomer, old, new), "parse_error")


@pytest.mark.parametrize("old, new, field", [
    ('"shell": "bash"', '"Shell": "bash"', "params.Shell"),
    ('"shell": "bash"', '"shell": "bash", "DRY_RUN": true', "params.DRY_RUN"),
    ('[{"key":', '[{"Label": "x", "key":', "params.authorized_keys[0].Label"),
])
def test_safety_01_a_field_in_other_letters_is_unknown(newcomer, old, new, field):
    refuse_bytes(newcomer, with_text(newcomer, old, new), "invalid", field)


@pytest.mark.parametrize("old, new", [
    ('"bash"', '"bash\0"'), ('"bash"', '"bash\\u0000"'), ('"shell":', '"shell\\u0000x":'), ('"shell":', '"sh\0ell":'),
    ('"shell":', '\0"shell":'), ('"domain.apply"', '"domain.apply\\u0000"'), ('"test"', '"te\\u0000st"'),
])
def test_safety_02_nul_is_refused_raw_and_escaped(newcomer, old, new):
    refuse_bytes(newcomer, with_text(newcomer, old, new), "parse_error")


def test_safety_02_nul_after_the_request_is_refused(newcomer):
    refuse_bytes(newcomer, json.dumps(good(newcomer)) + "\0", "parse_error")


@pytest.fixture(scope="module")
def slow():
    """A caller who sends a byte each second. It waits beside the other tests for the helper's deadline."""
    feeder = "import sys, time\nwhile True:\n    sys.stdout.write(' '); sys.stdout.flush(); time.sleep(1)"
    source = subprocess.Popen(["/usr/bin/python3", "-I", "-S", "-c", feeder], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
    started = time.monotonic()
    helper = subprocess.Popen([sp.HELPER], stdin=source.stdout, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    source.stdout.close()
    answer = []

    def collect():
        out, err = helper.communicate()
        answer.append((time.monotonic() - started, sp.Answer(sp.strict_json(out.decode()), helper.returncode,
                                                            err.decode(), out)))

    waiter = threading.Thread(target=collect)
    waiter.start()
    yield waiter, answer
    source.kill()
    source.wait()
    helper.kill()
    waiter.join()


def test_safety_03_over_a_mebibyte_is_refused_and_a_mebibyte_is_read(site, newcomer, slow):
    text = json.dumps(request("domain.get", {"domain": site.domain}))
    full = sp.rpc_raw(text + " " * (MIB - len(text)))
    assert full.ok()["domain"] == site.domain
    refuse_bytes(site, text + " " * (MIB + 1 - len(text)), "parse_error")
    refuse_bytes(site, with_text(newcomer, '"bash"', '"' + "b" * MIB + '"'), "parse_error")


@pytest.mark.parametrize("source", [["cat", "/dev/zero"], ["yes", "["], ["yes", " "]])
def test_safety_03_an_endless_stdin_is_refused_at_once(site, source):
    with nothing_written(site.home):
        feeder = subprocess.Popen(source, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        started = time.monotonic()
        done = subprocess.run([sp.HELPER], stdin=feeder.stdout, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=20)
        took = time.monotonic() - started
        feeder.stdout.close()
        feeder.wait(10)
        body = sp.strict_json(done.stdout.decode())
        refused(sp.Answer(body, done.returncode, done.stderr.decode(), done.stdout), "parse_error")
        assert took < 15 * sp.PATIENCE, took  # the deadline comes at 30


def nested(levels):
    """A request whose deepest array or object is this many levels down; the request itself is the first."""
    text = json.dumps(request("domain.list", {"deep": 0}))
    return text.replace('"deep": 0', '"deep": ' + "[" * (levels - 2) + "]" * (levels - 2))


def test_safety_04_depth_17_is_refused_and_16_is_read(site):
    refuse_bytes(site, nested(16), "invalid", "params.deep")
    refuse_bytes(site, nested(17), "parse_error")


@pytest.mark.parametrize("text", ["[" * 17, "[" * 500000, '{"a":' * 200000, "[" * 500000 + "]" * 500000],
                         ids=["17", "arrays", "objects", "closed"])
def test_safety_04_any_depth_is_refused_without_a_crash(site, text):
    refuse_bytes(site, text, "parse_error")


def _numbers():
    return ["01", "1.", "1e400", "-1e400", ".5", "+1", "-", "0x10", "1e", "1E+", "NaN", "Infinity", "-Infinity", "1_0",
            "00", "--1", "9007199254740993", "-9007199254740993", "1e999999999", "1" * 400]


@pytest.mark.parametrize("number", _numbers())
def test_safety_05_a_number_outside_the_grammar_or_beyond_2_to_53_is_refused(site, number):
    text = json.dumps(request("domain.apply", {"domain": site.domain, "if_generation": 0, "shell": "none"}))
    refuse_bytes(site, text.replace('"if_generation": 0', f'"if_generation": {number}'), {"parse_error", "invalid"})


@pytest.mark.parametrize("number", ["1.5", "-1", "9007199254740994", "1e300", "true", '"1"', "null"])
def test_safety_05_a_generation_that_is_no_whole_number_is_refused(site, number):
    text = json.dumps(request("domain.apply", {"domain": site.domain, "if_generation": 0, "shell": "none"}))
    refuse_bytes(site, text.replace('"if_generation": 0', f'"if_generation": {number}'), {"invalid", "parse_error"})


@pytest.mark.parametrize("before, after", [
    (b"", b"x"), (b"", b"{}"), (b"", b"]"), (b"", b","), (b"\xef\xbb\xbf", b""), (b"\xff\xfe", b""), (b"//\n", b""),
    (b"", b"\n# end"), (b"\x0b", b""), (b"\xc2\xa0", b""), (b"1", b""), (b"(", b")"),
])
def test_safety_05_bytes_around_the_request_are_refused(newcomer, before, after):
    refuse_bytes(newcomer, before + json.dumps(good(newcomer)).encode() + after, "parse_error")


@pytest.mark.parametrize("label", [
    b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff", b"\x80", b"\xc3",
    b"\xf8\x88\x80\x80\x80", b"\\ud800", b"\\udc00", b"\\ud800\\ud800", b"\\u12", b"\\x41", b"\\", b"\t", b"\n", b"\x1f",
    b"\\uZZZZ", b"\\'",
])
def test_safety_05_text_that_is_no_utf8_or_has_a_wrong_escape_is_refused(newcomer, label):
    text = json.dumps(good(newcomer)).encode().replace(b'[{"key":', b'[{"label": "' + label + b'", "key":')
    refuse_bytes(newcomer, text, "parse_error")


@pytest.mark.parametrize("text", [
    "", " ", "\n\n", "{", "}", '{"a"}', '{"a":}', '{"a":1,}', "[1,]", "[,]", "{'a': 1}", "{a: 1}", "tru", "True", "nul",
    '"', '"abc', "undefined", "[1 2]", '{"a" 1}', '{1: 2}', "[", '{"a": [}', "\xa0",
])
def test_safety_05_what_is_no_json_is_refused(site, text):
    refuse_bytes(site, text, "parse_error")


@pytest.mark.parametrize("text", ["null", "1", "true", '"domain.list"', "{}", '[]', '{"jsonrpc": "2.0"}'])
def test_safety_05_json_that_is_no_request_is_refused(site, text):
    refuse_bytes(site, text, "invalid_request")


@pytest.mark.parametrize("change, field", [
    ({"jsonrpc": "1.0"}, "jsonrpc"), ({"jsonrpc": 2.0}, "jsonrpc"), ({"id": {}}, "id"), ({"id": []}, "id"),
    ({"id": True}, "id"), ({"id": "x" * 129}, "id"), ({"method": 1}, "method"), ({"method": None}, "method"),
    ({"params": []}, "params"), ({"params": None}, "params"), ({"params": "x"}, "params"), ({"extra": 1}, "extra"),
])
def test_safety_05_an_envelope_with_a_wrong_member_is_refused(newcomer, change, field):
    refuse_bytes(newcomer, json.dumps({**good(newcomer), **change}), "invalid_request", field)


@pytest.mark.parametrize("missing", ["jsonrpc", "id", "method"])
def test_safety_05_an_envelope_without_a_member_is_refused(newcomer, missing):
    whole = good(newcomer)
    del whole[missing]
    refuse_bytes(newcomer, json.dumps(whole), "invalid_request", missing)


@pytest.mark.parametrize("method", ["", "domain", "domain.Apply", "domain.apply ", "rpc.x", "x" * 5000, "domain.apply\n"], ids=range(7))
def test_safety_05_an_unknown_method_is_refused(newcomer, method):
    refuse_bytes(newcomer, json.dumps({**good(newcomer), "method": method}), "method_not_found", "method")


# 6

HOSTILE = ["\n", "\r", "\t", "\x7f", "\x1b", "\x01", "\x85", "\u2028", ":"]


@pytest.mark.parametrize("where", ["middle", "end", "start"])
@pytest.mark.parametrize("char", HOSTILE + [",", " ", "/", "*", "@", "é", "$", "\\", '"', "%"])
@pytest.mark.parametrize("field", ["user", "domain", "shell"])
def test_safety_06_control_bytes_colons_and_commas_are_refused_in_names(newcomer, field, char, where):
    whole = good(newcomer)
    old = whole["params"][field]
    middle = len(old) // 2
    whole["params"][field] = {"middle": old[:middle] + char + old[middle:], "end": old + char, "start": char + old}[where]
    refused(sp.rpc_raw(json.dumps(whole)), "invalid", f"params.{field}")


@pytest.mark.parametrize("field, value", [
    *[("document_root", f"/var/www/vhosts/a{char}b") for char in HOSTILE if char not in "\u2028\x85"],
    *[("document_root", path) for path in
      ("", "relative", "/var/www/../../etc", "/var/www//x", "/var/www/./x", "/var/www/x/", "/var/www/" + "x" * 1100, "~",
       "/var/www/..", "C:\\www")],
    *[("user", name) for name in ("", ".", "..", "-rf", "--help", "a" * 33, "0", "1000", "-1", "4294967295", "a b", "a\nb:x:0:0::/:")],
    *[("domain", name) for name in
      ("", ".", "..", "a", "a..b", "a.example.", "A.example", "-a.example", "a-.example", "ä.example", "a/../b.example",
       "a.example/../x", "x" * 64 + ".example", ("x" * 60 + ".") * 5 + "example", "1.2.3.4", "[::1]", "*.example")],
    *[("shell", name) for name in ("", "Bash", "/bin/bash", "bash\n", "other", "unset", "chroot-bash", "0")],
    *[("forwarding", name) for name in ("", "yes", "unset", "ALL")],
])
def test_safety_06_a_name_or_path_outside_the_allow_list_is_refused(newcomer, field, value):
    refused(sp.rpc_raw(json.dumps(good(newcomer, **{field: value}))), "invalid", f"params.{field}")


@pytest.mark.parametrize("path", ["/etc", "/", "/root", "/var", "/var/www", "/home", "/var/wwwx/y", "/proc/self/cwd", STORE])
def test_safety_06_a_document_root_outside_the_configured_ones_is_forbidden(newcomer, path):
    refused(sp.rpc_raw(json.dumps(good(newcomer, document_root=path))), {"forbidden", "invalid"}, "params.document_root")


@pytest.mark.parametrize("profile", ["", "../base", "base\n", "no-such", "/etc/passwd", "a" * 200, "base:git"])
def test_safety_06_a_profile_that_does_not_exist_is_refused(newcomer, profile):
    answer = sp.rpc_raw(json.dumps(good(newcomer, shell="chroot", jail={"profiles": [profile]})))
    error = refused(answer, {"invalid", "not_found"})
    assert error["data"]["field"].startswith("params.jail.profiles"), error


def test_safety_06_all_these_wrote_nothing(newcomer, before_all):
    """Not asked after each: here once, for what the tests above sent. An account that may have access has a lock file."""
    found = {path.name for path in pathlib.Path(STORE, "state").iterdir()}
    assert sorted(found - {f"{newcomer.name}.lock"}) == before_all
    assert not list(pathlib.Path(newcomer.home).iterdir())
    with nothing_written(newcomer.home):
        for field, value in (("user", "a\nb"), ("user", "nosuchuser"), ("domain", "a\nb"), ("shell", "x"),
                             ("document_root", "/etc"), ("document_root", "/var/www/missing")):
            assert sp.rpc_raw(json.dumps(good(newcomer, **{field: value}))).error


def test_safety_06_a_good_request_still_works(newcomer):
    assert apply(newcomer, shell="bash", authorized_keys=[{"key": sp.keypair().public}]).ok()["changed"]
    assert sp.ssh(newcomer, "echo in").stdout == "in\n"


def test_safety_03_a_byte_a_second_ends_at_the_deadline(slow):
    waiter, answer = slow
    waiter.join(40 * sp.PATIENCE)
    assert answer, "the helper still reads"
    took, refusal = answer[0]
    assert took < 35 * sp.PATIENCE, took
    refused(refusal, "busy")
