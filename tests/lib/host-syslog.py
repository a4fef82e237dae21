# SPDX-License-Identifier: GPL-3.0-or-later
"""The syslog of tests/host: each datagram sent to /dev/log becomes one line of /var/log/syslog.test."""
import os
import socket

listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
listener.bind("/dev/log.new")
os.chmod("/dev/log.new", 0o666)
log = os.open("/var/log/syslog.test", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC | os.O_CLOEXEC, 0o640)
os.rename("/dev/log.new", "/dev/log")
while True:
    # A line break inside a message would forge a second one; every other byte stays as it was sent.
    message = listener.recv(65536).rstrip(b"\0\n")
    os.write(log, message.replace(b"\n", b"\\n") + b"\n")
