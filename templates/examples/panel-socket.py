#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request by sallyport's socket. The user who runs this is a member of the group sallyport-panel.

    panel-socket.py domain.get '{"domain": "example.com"}'
"""

import json
import socket
import sys
import uuid


def sallyport(method, params):
    request = {"jsonrpc": "2.0", "id": uuid.uuid4().hex, "method": method, "params": params}
    with socket.socket(socket.AF_UNIX) as server:
        server.settimeout(600)  # the first jail of a server takes its time
        server.connect("/run/sallyport/panel.socket")
        server.sendall(json.dumps(request).encode())
        server.shutdown(socket.SHUT_WR)  # the request is whole
        with server.makefile("rb") as answer:
            answer = json.load(answer)
    if "error" in answer:
        data = answer["error"]["data"]
        raise RuntimeError(f"{data['reason']}: {answer['error']['message']} ({data['hint']})")
    return answer["result"]


if __name__ == "__main__":
    print(json.dumps(sallyport(sys.argv[1], json.loads(sys.argv[2] if len(sys.argv) > 2 else "{}"))))
