"""A prompt agent in a process of its own: `worker.py URL MODE`, with the role's credentials in the URL.

MODE `answer` answers; `die` kills itself at each delivery; `die-after-publishing` at the first, after its output is
out; `stuck` says that it began, and never ends.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence

from bus import telemetry
from bus.agent import Delivery, Inbound, Outbound
from bus.connection import Address
from bus.runner import RunnerOptions, serve
from tests.bus.scripted import Scripted, written


async def main(url: str, mode: str) -> None:
    async def handle(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        if mode == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if mode == "die-after-publishing" and delivery.delivered == 1:
            await agent.outlet.publish(written(message))
            os.kill(os.getpid(), signal.SIGKILL)
        if mode == "stuck":
            print("began", flush=True)
            await asyncio.Event().wait()
        return [written(message)]

    telemetry.configure_logging("prompt", "warning")
    agent = Scripted(handle=handle)
    options = RunnerOptions(ack_wait_s=0.6, drain_s=0.3, backoff=(0.05,), on_ready=lambda: print("ready", flush=True))
    await serve(agent, Address.parse(url), options)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
