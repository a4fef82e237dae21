# SPDX-License-Identifier: GPL-3.0-or-later
"""The hooks for panels, run for real: an unprivileged panel asks through sudo, in each language."""

import json
import os
import pathlib

import pytest

import sp

HOOKS = "/usr/share/sallyport/hooks"

# Each program: the params of a request come in as JSON; what comes out is {"result"} or {"status", "reason", "field", ...}.
PYTHON = f"""
import json, sys
sys.path.insert(0, "{HOOKS}")
sys.dont_write_bytecode = True
from sallyport import Refused, call
try:
    print(json.dumps({{"result": call(sys.argv[1], json.loads(sys.argv[2]))}}))
except Refused as no:
    print(json.dumps({{"status": no.status, "reason": no.reason, "field": no.field, "hint": no.hint, "text": str(no)}}))
except OSError as no:
    print(json.dumps({{"broken": str(no)}}))
"""
PHP = f"""<?php
require "{HOOKS}/sallyport.php";
try {{
    echo json_encode(["result" => sallyport($argv[1], json_decode($argv[2], true))]);
}} catch (Refused $no) {{
    echo json_encode(["status" => $no->status, "reason" => $no->reason, "field" => $no->field, "hint" => $no->hint,
                      "text" => $no->getMessage()]);
}} catch (RuntimeException $no) {{
    echo json_encode(["broken" => $no->getMessage()]);
}}
"""
NODE = f"""
import {{ Refused, sallyport }} from "{HOOKS}/sallyport.mjs";
try {{
  console.log(JSON.stringify({{ result: await sallyport(process.argv[2], JSON.parse(process.argv[3])) }}));
}} catch (no) {{
  console.log(JSON.stringify(no instanceof Refused
    ? {{ status: no.status, reason: no.reason, field: no.field, hint: no.hint, text: no.message }} : {{ broken: no.message }}));
}}
"""
SHELL = f"""
set -u
. {HOOKS}/sallyport.sh
answer=$(sallyport "$1" "$2") && printf '%s\\n' "$answer" || echo "status $?"
"""
LANGUAGES = {"python": (("/usr/bin/python3",), "hook.py", PYTHON), "php": (("php",), "hook.php", PHP),
             "node": (("node",), "hook.mjs", NODE), "shell": (("sh",), "hook.sh", SHELL)}


@pytest.fixture(scope="module", params=LANGUAGES)
def ask(request, host):
    """Asks in one language, as the panel's user or as somebody whom sudo does not know."""
    run, name, program = LANGUAGES[request.param]
    folder = pathlib.Path("/srv/panel")
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(program)
    for user in ("panel", "nopanel"):
        sp.run(["useradd", "-r", "-M", "-d", "/nonexistent", "-s", "/usr/sbin/nologin", user])
    rule = pathlib.Path("/etc/sudoers.d/panel")
    rule.write_text(f'panel ALL=(root) NOPASSWD: {sp.HELPER} ""\n')
    rule.chmod(0o440)

    def one(method, params, user="panel"):
        done = sp.run(["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", *run, folder / name, method,
                       json.dumps(params)], cwd="/", env={"PATH": "/usr/bin:/usr/sbin:/bin"}, timeout=60)
        assert done.rc == 0, done
        if request.param != "shell":
            return json.loads(done.stdout)
        if not done.stdout.startswith("status "):
            return {"result": json.loads(done.stdout)["result"]}
        told = dict(line.split(": ", 2)[1:] for line in done.stderr.splitlines() if line.startswith("sallyport: "))
        return {"status": int(done.stdout.split()[1]), "field": told.get("field"), "hint": told.get("hint"),
                "text": told.get("message"), "broken": None if told else done.stderr}

    one.language = request.param
    return one


def params(user, key):
    return {"domain": user.domain, "user": user.name, "document_root": user.docroot, "shell": "chroot",
            "authorized_keys": [{"key": key, "label": 'Ann "the admin" \u00e4\\'}]}


def test_a_panel_gives_access_and_somebody_logs_in(ask):
    user, key = sp.make_user(), sp.keypair(ask.language)
    first = ask("domain.apply", params(user, key.public))["result"]
    assert first["changed"] is True and first["user"] == user.name
    assert ask("domain.apply", params(user, key.public))["result"]["changed"] is False
    done = sp.ssh(user, "pwd; ls -d /usr/bin", key=key)
    assert done.rc == 0 and "/usr/bin" in done.stdout, done


def test_what_is_refused_is_told_with_its_status_its_field_and_the_mend(ask):
    user = sp.make_user()
    no = ask("domain.apply", params(user, "ssh-ed25519 AAAA"))
    assert no["status"] == 5 and no["field"] == "params.authorized_keys[0].key" and no["hint"] and no["text"], no
    assert no.get("reason", "invalid") == "invalid"
    gone = ask("domain.get", {"domain": user.domain})
    assert gone["status"] == 7 and gone["field"] == "params.domain", gone
    assert ask("system.info", {})["result"]["methods"]  # an empty object is one in PHP too


def test_a_sudo_that_says_no_is_no_answer(ask):
    no = ask("system.info", {}, user="nopanel")
    assert "result" not in no and no["broken"], no


def test_a_hook_is_short():
    for name in os.listdir(HOOKS):
        lines = [line for line in pathlib.Path(HOOKS, name).read_text().splitlines()
                 if line.strip() and not line.lstrip().startswith(("#", "//"))]
        assert len(lines) <= 25, (name, len(lines))
