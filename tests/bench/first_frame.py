"""How long a program on a terminal (a pty) takes to its first frame."""
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time


def first_frame_ms(argv, rows, columns, seen_last):
    """From exec of argv to the bytes that are written last of its first frame."""
    env = dict(os.environ, TERM="xterm-256color", LC_ALL="C.UTF-8")
    start = time.monotonic()
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.execve(argv[0], argv, env)
    seen = b""
    while seen_last not in seen:
        if not select.select([fd], [], [], 10)[0]:
            os.kill(pid, signal.SIGKILL)
            sys.exit("no first frame within 10 s")
        seen += os.read(fd, 65536)
    took = (time.monotonic() - start) * 1000
    os.kill(pid, signal.SIGTERM)
    try:
        while os.read(fd, 65536):
            pass
    except OSError:
        pass  # the other end is closed
    os.waitpid(pid, 0)
    os.close(fd)
    return took
