# SPDX-License-Identifier: GPL-3.0-or-later
"""An interactive ssh on a real terminal: type, and wait for what must appear."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

import sp


def in_front(n, command):
    """Waits until so many processes run this, all with the terminal: what is typed reaches them. 0: none is left, in front or not."""
    def states():
        lines = sp.run(["ps", "-eo", "stat=,args="], check=True).stdout.splitlines()
        return [state for state, *args in (line.split(None, 1) for line in lines) if args == [command]]

    sp.wait_for(lambda: len(found := states()) == n and all("+" in state and "T" not in state for state in found), what=f"{n} of {command}")


class Terminal:
    """with Terminal(user) as term: term.expect(r"\\$ "); term.send("tty\\n"); term.expect(r"/dev/pts/\\d+")"""

    def __init__(self, user, command=None, key=None, source=None, netns=None, options=(), host=None, rows=24, cols=80):
        argv = sp.client("ssh", key, source, netns, options)
        argv += ["-tt", "-l", getattr(user, "name", user), sp._target(host, source, netns)]
        self._start(argv + ([] if command is None else [command]), rows, cols)

    @classmethod
    def local(cls, argv, rows=24, cols=80):
        """Any program on a terminal, without ssh."""
        term = cls.__new__(cls)
        term._start([str(word) for word in argv], rows, cols)
        return term

    def _start(self, argv, rows, cols):
        self.screen = ""
        self._seen = 0
        self._status = None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.environ["TERM"] = "xterm"
                self._size(0, rows, cols)
                os.execvp(argv[0], argv)
            finally:
                os._exit(127)

    @staticmethod
    def _size(fd, rows, cols):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def resize(self, rows, cols):
        self._size(self.fd, rows, cols)

    def send(self, text):
        """Types; "\\x03" is Ctrl-C, "\\x1a" Ctrl-Z, "\\x04" the end."""
        os.write(self.fd, text.encode())

    def _read(self, seconds):
        """Takes in what came; False at the end of the output."""
        if not select.select([self.fd], [], [], max(seconds, 0))[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.screen += data.decode("utf-8", "replace")
        return bool(data)

    def expect(self, pattern, timeout=30):
        """Waits for a regular expression after what was matched last, and returns the match."""
        deadline = time.monotonic() + timeout * sp.PATIENCE
        alive = True
        while True:
            match = re.compile(pattern, re.M).search(self.screen, self._seen)
            if match:
                self._seen = match.end()
                return match
            left = deadline - time.monotonic()
            assert alive and left > 0, f"no {pattern!r} {'in time' if alive else 'before the end'} in:\n{self.screen}"
            alive = self._read(left)

    def run(self, command, timeout=30):
        """Types a command at a prompt and returns what it printed."""
        # The number is put between the brackets by printf, so that the echo of the typed line does not match.
        number = time.monotonic_ns()
        self.send(f"printf '<%s>\\n' {number}; {command}; printf '<%s-%s>' {number} $?\n")
        self.expect(rf"<{number}>\r?\n", timeout)
        start = self._seen
        match = self.expect(rf"<{number}-(\d+)>", timeout)
        return self.screen[start:match.start()].replace("\r", "").rstrip("\n")

    def wait(self, timeout=30):
        """The exit status, once the program has ended by itself."""
        deadline = time.monotonic() + timeout * sp.PATIENCE
        while self._status is None:
            assert time.monotonic() < deadline, f"still there after {timeout} s:\n{self.screen}"
            self._read(0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        while select.select([self.fd], [], [], 0)[0] and self._read(0):
            pass
        return self._status

    def close(self):
        """Hangs up, as a closed window does."""
        if self.fd is None:
            return
        os.close(self.fd)
        self.fd = None
        if self._status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
