"""A process that ends when its parent does, however the parent dies.

The parent keeps the write end of the child's standard input and never writes; the system closes it when the
parent is gone, also after `kill -9`. The child reads, and end of file means: finish.
"""

import os
import signal
import threading


def terminate_with_stdin(grace_s: float) -> None:
    """Send this process SIGTERM when its standard input ends, and end it by force `grace_s` seconds later."""
    threading.Thread(target=_wait_for_end_of_stdin, args=(grace_s,), name="lifeline", daemon=True).start()


def _wait_for_end_of_stdin(grace_s: float) -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(grace_s)
    os._exit(1)
