"""Two vendors in one generator, among the other agents over a real broker: each makes and charges its own pictures."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from agents.generator.agent import build
from bus.client import Client
from bus.connection import Address
from protocol.accounts import CostReport
from protocol.commands import Costs, GenerateImages, Requirements, Result
from protocol.plans import GenerationPlan
from protocol.results import GenerationResult, ResultBody
from tests.generator.providers.test_catalogue import FAKES
from tests.workshop import instant_settings, served


async def made(client: Client, platform: str, quantity: int) -> ResultBody:
    order = GenerateImages(brief="a red mug", platform=platform, requirements=Requirements(quantity=quantity))
    plan = await client.request(order, "acme")
    assert isinstance(plan, GenerationPlan), plan
    assert plan.hash is not None
    result = await client.request(Result(hash=plan.hash, wait_s=20), "acme", timeout=25)
    assert isinstance(result, GenerationResult)
    return result.generation_result


async def test_one_generator_makes_the_pictures_of_two_vendors_each_at_its_price(
    tmp_path: Path, login: Callable[[str], Address]
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "models.toml").write_text("[models.foundry_one]\nprice_micros = 70000\n")
    settings = instant_settings(home, generator="hosted", provider_keys={"foundry": SecretStr("key")})
    generator = build(settings, FAKES)
    async with asyncio.timeout(50), served(settings, login, instead={"generator": generator}) as client:
        results = await asyncio.gather(made(client, "Atelier One", 2), made(client, "foundry", 3))
        report = await client.request(Costs(by="provider"), "acme")

    assert [(result.state, len(result.images)) for result in results] == [("completed", 2), ("completed", 3)]
    assert isinstance(report, CostReport)
    charged = {group.name: (group.charges.completed, group.charges.cost) for group in report.costs.groups}
    assert charged == {"atelier": (2, 0.08), "foundry": (3, 0.21)}
