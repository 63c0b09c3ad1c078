"""The console on a terminal of its own, a pty of 120x40, for the benches that press its keys."""
import fcntl, os, pty, select, signal, struct, sys, termios, time


class PtyConsole:
    def __init__(self, ccalab, args, env, cwd):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
            os.chdir(cwd)
            os.execve(ccalab, [ccalab, *args], env)

    def read(self, seconds):
        """What comes until then, or b'' if nothing does."""
        if not select.select([self.fd], [], [], max(0, seconds))[0]:
            return b""
        try:
            return os.read(self.fd, 65536)
        except OSError:
            sys.exit("the console has ended")

    def wait(self, what, seconds):
        seen, limit = b"", time.monotonic() + seconds
        while what not in seen:
            seen = (seen + self.read(0.1))[-200000:]
            if time.monotonic() > limit:
                sys.exit("no %r within %g s" % (what, seconds))

    def drain(self, seconds):
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            self.read(limit - time.monotonic())

    def end(self):
        os.kill(self.pid, signal.SIGTERM)
        try:
            while os.read(self.fd, 65536):
                pass
        except OSError:
            pass
        os.waitpid(self.pid, 0)
