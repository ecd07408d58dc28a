"""The device: one process at a time, one thread, and what is said when it is not to be had."""

import asyncio
import sys
import threading
from pathlib import Path

import pytest

from agents.generator.device import device, lock
from agents.generator.device.errors import is_out_of_memory
from protocol.errors import AcpError

HOLDER = """
import sys
from pathlib import Path
from agents.generator.device import lock
with lock.lock_device(Path(sys.argv[1]), "cpu"):
    print("held", flush=True)
    sys.stdin.read()
"""


async def test_a_device_is_locked_against_other_processes_until_its_holder_is_killed(tmp_path: Path):
    holder = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        HOLDER,
        str(tmp_path),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert holder.stdout is not None
    try:
        async with asyncio.timeout(30):
            assert await holder.stdout.readline() == b"held\n"
        with pytest.raises(AcpError) as refused, lock.lock_device(tmp_path, "cpu"):
            pass
        assert refused.value.code == "wrong_state"
        assert str(holder.pid) in refused.value.body.message
        assert "BOTTEGA_DEVICE" in (refused.value.body.hint or "")
        with lock.lock_device(tmp_path, "gpu-1"):
            pass
    finally:
        holder.kill()
        async with asyncio.timeout(30):
            await holder.wait()
    with lock.lock_device(tmp_path, "cpu"):
        pass


async def test_all_device_work_runs_in_one_thread_in_order(tmp_path: Path):
    threads: list[str] = []
    order: list[int] = []

    def work(number: int) -> None:
        threads.append(threading.current_thread().name)
        order.append(number)

    async with device.open_device("cpu", 1, tmp_path) as opened, asyncio.timeout(30):
        await asyncio.gather(*(opened.submit(lambda number=number: work(number)) for number in range(20)))
    assert set(threads) == {threads[0]}
    assert threads[0] != threading.current_thread().name
    assert order == list(range(20))


async def test_auto_finds_some_device(tmp_path: Path):
    async with device.open_device("auto", 0, tmp_path) as opened:
        assert opened.name.partition(":")[0] in {"cpu", "cuda", "mps"}


@pytest.mark.parametrize("name", ["cuda:99", "toaster"])
async def test_a_device_that_is_not_there_is_refused_with_what_to_set(tmp_path: Path, name: str):
    with pytest.raises(AcpError) as refused:
        async with device.open_device(name, 0, tmp_path):
            pass
    assert name in refused.value.body.message
    assert "BOTTEGA_DEVICE" in (refused.value.body.hint or "")


def test_a_cpu_without_memory_is_recognised():
    import torch

    with pytest.raises(RuntimeError) as full:
        torch.empty(2**60)
    assert is_out_of_memory(full.value)
    assert not is_out_of_memory(RuntimeError("the shapes do not match"))
