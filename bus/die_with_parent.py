"""Run as a script: replace this process by a command that dies with the process that started it.

`die_with_parent.py PARENT_PID COMMAND…`. On Linux the kernel sends SIGTERM when the parent dies, however it dies;
elsewhere a forked watcher waits for the end of standard input, whose other end only the parent holds. Standard
library only.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>; the setting survives execve."""


def main(parent: int, command: list[str]) -> None:
    """Tie this process to its parent, then become `command`."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    else:
        _die_with_standard_input()
    if os.getppid() != parent:  # it died before it could be watched
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606  # no shell is wanted


def _die_with_standard_input() -> None:
    command = os.getpid()
    if os.fork() == 0:
        while os.read(0, 4096):
            pass
        os.kill(command, signal.SIGTERM)
        os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
