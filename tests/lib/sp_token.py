# SPDX-License-Identifier: GPL-3.0-or-later
"""A security key of software: an agent that holds one sk- key and signs as OpenSSH's PROTOCOL.u2f says.

The rest is real: ssh(1) offers the key and asks the agent, sshd checks the signature, the application and that
somebody touched the token. openssl makes and uses the key.
"""

import base64
import contextlib
import hashlib
import pathlib
import socket
import struct
import subprocess
import tempfile
import threading

APPLICATION = b"ssh:"
LIST, LISTED, SIGN, SIGNED, FAILURE = 11, 12, 13, 14, 5  # draft-miller-ssh-agent
TYPES = {"ed25519": b"sk-ssh-ed25519@openssh.com", "ecdsa": b"sk-ecdsa-sha2-nistp256@openssh.com"}


def _string(data):
    return struct.pack(">I", len(data)) + data


def _mpint(data):
    data = data.lstrip(b"\0")
    return _string(b"\0" + data if data[:1] >= b"\x80" else data)


def _openssl(*words, data=None):
    return subprocess.run(["openssl", *words], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True).stdout


def _take(data):
    n = struct.unpack(">I", data[:4])[0]
    return data[4:4 + n], data[4 + n:]


def _der_pair(der):
    """The two numbers of an ECDSA signature: SEQUENCE of two INTEGERs, each below 128 bytes."""
    first = der[4:4 + der[3]]
    rest = der[4 + der[3]:]
    return first, rest[2:2 + rest[1]]


class Token:
    """`touched`: does it say that somebody touched it?"""

    def __init__(self, kind, touched=True):
        self.kind, self.touched, self.counter, self.asked = kind, touched, 0, 0
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.pem, self.path = self.folder / "pem", self.folder / "id"
        how = ["-algorithm", "ed25519"] if kind == "ed25519" else ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
        _openssl("genpkey", *how, "-out", str(self.pem))
        point = _openssl("pkey", "-in", str(self.pem), "-pubout", "-outform", "DER")[-32 if kind == "ed25519" else -65:]
        curve = b"" if kind == "ed25519" else _string(b"nistp256")
        self.blob = _string(TYPES[kind]) + curve + _string(point) + _string(APPLICATION)
        self.public = f"{TYPES[kind].decode()} {base64.b64encode(self.blob).decode()} token"
        (self.folder / "id.pub").write_text(self.public + "\n")

    def sign(self, message):
        self.asked += 1
        self.counter += 1
        tail = struct.pack(">BI", 1 if self.touched else 0, self.counter)
        data = self.folder / "data"
        data.write_bytes(hashlib.sha256(APPLICATION).digest() + tail + hashlib.sha256(message).digest())
        if self.kind == "ed25519":
            made = _openssl("pkeyutl", "-sign", "-rawin", "-inkey", str(self.pem), "-in", str(data))
        else:
            made = b"".join(_mpint(number) for number in _der_pair(_openssl("dgst", "-sha256", "-sign", str(self.pem), str(data))))
        return _string(TYPES[self.kind]) + _string(made) + tail

    def answer(self, asked):
        if asked[0] == LIST:
            return bytes([LISTED]) + struct.pack(">I", 1) + _string(self.blob) + _string(b"token")
        if asked[0] != SIGN:
            return bytes([FAILURE])
        blob, rest = _take(asked[1:])
        return bytes([SIGNED]) + _string(self.sign(_take(rest)[0])) if blob == self.blob else bytes([FAILURE])


def _serve(token, client):
    with client, client.makefile("rb") as stream:
        while len(head := stream.read(4)) == 4:
            client.sendall(_string(token.answer(stream.read(struct.unpack(">I", head)[0]))))


@contextlib.contextmanager
def plugged_in(token):
    """Options for ssh(1), which then finds the token."""
    path = token.folder / "agent"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=_serve, args=(token, listener.accept()[0]), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield [f"IdentityAgent={path}"]
        listener.shutdown(socket.SHUT_RDWR)
