# SPDX-License-Identifier: GPL-3.0-or-later
"""The syslog of tests/host: each datagram sent to /dev/log becomes one line of /var/log/syslog.test.

A single NUL becomes none: it comes back when all that was sent before it is written (sp.syslog_lines).
"""
import contextlib
import os
import socket

listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
listener.bind("/dev/log.new")
os.chmod("/dev/log.new", 0o666)
log = os.open("/var/log/syslog.test", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC | os.O_CLOEXEC, 0o640)
os.rename("/dev/log.new", "/dev/log")
while True:
    message, sender = listener.recvfrom(65536)
    if message == b"\0":
        with contextlib.suppress(OSError):  # who asked may be gone
            listener.sendto(message, sender)
        continue
    # A line break inside a message would forge a second one; every other byte stays as it was sent.
    os.write(log, message.rstrip(b"\0\n").replace(b"\n", b"\\n") + b"\n")
