"""A process that ends when its parent does, however the parent dies.

The parent keeps the write end of the child's standard input and never writes; the system closes it when the
parent is gone, also after `kill -9`. The child reads, and end of file means: finish.
"""

import os
import signal
import threading


def hold_lifeline(grace_s: float) -> None:
    """Send this process SIGTERM when its standard input ends; `grace_s` seconds later end it the hard way."""
    threading.Thread(target=_watch, args=(grace_s,), name="lifeline", daemon=True).start()


def _watch(grace_s: float) -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(grace_s)
    os._exit(1)
