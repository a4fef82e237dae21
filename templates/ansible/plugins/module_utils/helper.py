# SPDX-License-Identifier: GPL-3.0-or-later
"""Talks to sallyport-helper: one JSON-RPC 2.0 request, one answer. See sallyport-request(5)."""

import json
import os
import subprocess

HELPER = "/usr/libexec/sallyport/sallyport-helper"


def wanted(value):
    """A value without what nobody said: Ansible fills that in as None, and the helper leaves alone what is left out."""
    if isinstance(value, dict):
        return {name: wanted(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [wanted(inner) for inner in value]
    return value


def diff_of(changes, header):
    """Ansible's diff: a line for each value that goes, and one for each that comes."""
    def lines(side):
        return "".join("%s %s: %s\n" % (one["resource"], one["target"] or "-", one[side])
                       for one in changes if one[side] is not None)

    return {"before_header": header, "after_header": header, "before": lines("from"), "after": lines("to")}


def fail(module, error):
    """What the helper refused, with all that it says of it."""
    data = error.get("data") or {}
    field, hint = data.get("field") or "", data.get("hint") or ""
    text = error["message"]
    if field:
        text = "%s: %s" % (field, text)
    if hint:
        text = "%s (%s)" % (text, hint)
    module.fail_json(msg=text, code=error["code"], reason=data.get("reason") or "", field=field, hint=hint)


def call(module, method, params):
    """Sends a request and returns its result; anything else ends the task."""
    if not os.path.exists(HELPER):
        module.fail_json(msg="sallyport is not installed on this host: there is no %s" % HELPER)
    request = {"jsonrpc": "2.0", "id": "ansible", "method": method, "params": params}
    # Not AnsibleModule.run_command: a helper that refuses without reading ends that one with a broken pipe, unheard.
    helper = subprocess.Popen([HELPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    answer, errors = (text.decode("utf-8", "replace") for text in helper.communicate(json.dumps(request).encode()))
    try:
        body = json.loads(answer)
    except ValueError:
        module.fail_json(msg="sallyport-helper gave no answer", rc=helper.returncode, stdout=answer, stderr=errors)
    if "error" in body:
        fail(module, body["error"])
    return body["result"]


def finish(module, result, header):
    """Ends the task with what the helper answered."""
    for warning in result.pop("warnings"):
        module.warn(warning)
    module.exit_json(diff=diff_of(result["changes"], header), **result)


def run(module, method, params, header):
    """Makes it so, or in check mode asks what would be done, and ends the task."""
    result = call(module, method, dict(params, dry_run=module.check_mode))
    # Gone already is what was asked for; that it was never there is no news.
    if method == "domain.remove" and not result["changed"]:
        result["warnings"] = []
    finish(module, result, header)
