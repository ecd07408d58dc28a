# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false
"""A flow-matching transformer, FLUX, through the same engine: a tiny random one of the real classes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.orders.order import order_of
from agents.generator.registry import registry
from protocol.errors import AcpError
from protocol.messages import Job, Prompt
from tests.generator.engines.test_diffusers_engine import made, pixels
from tests.generator.platforms import tiny_flux


async def test_a_flow_model_makes_a_picture_of_its_seed(home: Path, job: Callable[..., Job]):
    tiny_flux().save_pretrained(home / "models" / "flux_dev")
    known = registry.load(home / "models", home / "loras", home / "models.toml")
    fields = {"model": "flux_dev", "platform": "flux_1_dev", "sampler": "Euler", "guidance": 3.5}
    engine = DiffusersEngine("cpu", 1, home / "run")
    async with engine.open():
        first = await made(engine, order_of(job(**fields), known))
        other = await made(engine, order_of(job(**fields, seed=8), known))
        again = await made(engine, order_of(job(**fields, prompt=Prompt(text="a red mug", negative="blue")), known))
    assert pixels(first).shape == (64, 64, 3)
    assert first.data == again.data
    assert first.data != other.data


def test_a_sampler_that_a_flow_model_does_not_know_is_refused(home: Path, job: Callable[..., Job]):
    known = registry.load(home / "models", home / "loras", home / "models.toml").with_everything_installed()
    with pytest.raises(AcpError) as refused:
        order_of(job(model="flux_dev", sampler="DDIM"), known)
    assert (refused.value.code, refused.value.body.hint) == ("not_installed", "use Euler")
