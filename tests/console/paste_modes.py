#!/usr/bin/env python3
"""Bracketed paste is asked for, and taken back on every way out: leaving, stopping, a crash."""
import os
import pty
import select
import shutil
import signal
import sys
import tempfile
import time

ON, OFF = b"\x1b[?2004h", b"\x1b[?2004l"
ccalab = os.environ["CCALAB_BUILD"] + "/ccalab"
if not os.access(ccalab, os.X_OK):
    print("skipped: %s is not built" % ccalab)
    sys.exit(77)
home = tempfile.mkdtemp()


class Console:
    def __init__(self):
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", HOME=home, XDG_STATE_HOME=home, LC_ALL="C.UTF-8")
            os.execv(ccalab, [ccalab])

    def read(self):
        if not select.select([self.fd], [], [], 0.05)[0]:
            return True
        try:
            got = os.read(self.fd, 65536)
        except OSError:  # the other end is closed
            return False
        self.seen += got
        return bool(got)

    def wait(self, what, condition):
        limit = time.monotonic() + 10
        while not condition():
            if not self.read() and not condition():
                sys.exit("the end, before %s: %r" % (what, self.seen[-200:]))
            if time.monotonic() > limit:
                os.kill(self.pid, signal.SIGKILL)
                sys.exit("%s did not come: %r" % (what, self.seen[-200:]))

    def count(self, on, off):
        self.wait("%d on, %d off" % (on, off),
                  lambda: (self.seen.count(ON), self.seen.count(OFF)) == (on, off))

    def end(self):
        while self.read():
            pass
        return os.waitpid(self.pid, 0)[1]


try:
    for how in "q", "SIGTSTP", "SIGTERM", "SIGSEGV", "SIGABRT":
        c = Console()
        c.count(1, 0)
        c.wait("the first frame", lambda: b"idle" in c.seen)
        if how == "SIGTSTP":  # its group is an orphan: stopped and woken at once
            os.kill(c.pid, signal.SIGTSTP)
            c.count(2, 1)
            assert c.seen.rindex(ON) > c.seen.rindex(OFF), "left off"
        if how in ("q", "SIGTSTP"):
            os.write(c.fd, b"q")
        else:
            os.kill(c.pid, getattr(signal, how))
        status = c.end()
        assert c.seen.rindex(OFF) > c.seen.rindex(ON), "%s: still on: %r" % (how, c.seen[-200:])
        print("%s: off again, status %d" % (how, status))
        assert (status == 0) == (how in ("q", "SIGTSTP")), status
finally:
    shutil.rmtree(home)
