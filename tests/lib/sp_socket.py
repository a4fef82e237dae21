# SPDX-License-Identifier: GPL-3.0-or-later
"""sallyport.socket without systemd as pid 1: systemd-socket-activate listens as the units say, and hands each connection over
as systemd does."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess

import sp

UNITS = pathlib.Path("/usr/lib/systemd/system")
PATH = "/run/sallyport/panel.socket"


def setting(unit, name):
    """The last value of a key of a unit."""
    return re.findall(rf"^{name}=(.*)$", (UNITS / unit).read_text(), re.M)[-1]


def listens(path):
    """It is there a moment before (__SO_ACCEPTCON)."""
    return re.search(rf" 00010000 .* {path}$", pathlib.Path("/proc/net/unix").read_text(), re.M)


@contextlib.contextmanager
def listening(environment=(), program=None):
    """The socket, as sallyport.socket has it, in front of what sallyport@.service starts."""
    assert setting("sallyport.socket", "ListenStream") == PATH and setting("sallyport.socket", "Accept") == "yes"
    assert setting("sallyport@.service", "StandardInput") == setting("sallyport@.service", "StandardOutput") == "socket"
    os.makedirs(os.path.dirname(PATH), mode=0o755, exist_ok=True)
    program = program or setting("sallyport@.service", "ExecStart").removeprefix("-").split()
    listener = subprocess.Popen(["systemd-socket-activate", "--accept", "--inetd", "-l", PATH,
                                 *[word for one in environment for word in ("-E", one)], *program],
                                cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                env={"PATH": "/usr/bin", **dict(one.split("=", 1) for one in environment)})
    try:
        sp.wait_for(lambda: listens(PATH) or listener.poll() is not None, what="the socket")
        shutil.chown(PATH, "root", setting("sallyport.socket", "SocketGroup"))
        os.chmod(PATH, int(setting("sallyport.socket", "SocketMode"), 8))
        yield listener
    finally:
        listener.terminate()
        listener.wait(10)
        pathlib.Path(PATH).unlink(missing_ok=True)


def ask(request, path=PATH, timeout=60):
    """The bytes that come back for these bytes, as this process."""
    with socket.socket(socket.AF_UNIX) as server:
        server.settimeout(timeout * sp.PATIENCE)
        server.connect(path)
        server.sendall(request if isinstance(request, bytes) else json.dumps(request).encode())
        server.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: server.recv(65536), b""))
