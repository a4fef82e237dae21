# SPDX-License-Identifier: GPL-3.0-or-later
"""sallyport from a panel in Python: call() gives the result, or raises Refused. See sallyport-helper(8)."""
import json
import subprocess

HELPER = ["sudo", "-n", "/usr/libexec/sallyport/sallyport-helper"]


class Refused(Exception):
    def __init__(self, status, error):
        super().__init__(error["message"])
        self.status, self.code = status, error["code"]
        self.reason, self.field, self.hint = (error["data"][name] for name in ("reason", "field", "hint"))


def call(method, params):
    request = json.dumps({"jsonrpc": "2.0", "id": "1", "method": method, "params": params})
    done = subprocess.run(HELPER, input=request, capture_output=True, text=True, timeout=120, check=False)
    if not done.stdout:  # sudo itself said no
        raise OSError(f"exit {done.returncode}: {done.stderr.strip()}")
    answer = json.loads(done.stdout)
    if done.returncode != 0:
        raise Refused(done.returncode, answer["error"])
    return answer["result"]
