"""`<lora:name:weight>` in a brief, from the door to the picture's record, over a real broker."""

import json
from pathlib import Path

from bus.client import Client
from protocol.plans import GenerationPlan
from protocol.replies import ErrorReply
from tests.planner.served.test_served import answered, client, finished, planned, small

__all__ = ["client"]


async def test_a_tag_in_a_brief_is_a_lora_of_the_picture_and_its_trigger_is_in_the_prompt(client: Client) -> None:
    batch, plan = await planned(client, small(1, brief="a red mug <lora:neon:0.9>"))
    [image] = (await finished(client, batch)).images
    assert plan.prompts == ["neon sign, a red mug"]
    assert image.metadata is not None
    assert image.metadata.prompt_used == "neon sign, a red mug"
    record = json.loads(Path(image.path or "").with_suffix(".json").read_text())
    assert record["loras"] == [{"name": "neon", "weight": 0.9}]


async def test_a_tag_that_names_no_lora_is_refused_with_the_nearest(client: Client) -> None:
    plan = (await answered(client, small(1, brief="a red mug <lora:neom:0.9>"), GenerationPlan)).generation_plan
    assert plan.state == "refused"
    assert plan.refusal is not None
    assert "neom" in plan.refusal.message
    assert "did you mean neon?" in (plan.refusal.hint or "")


async def test_a_tag_that_is_none_is_refused_where_it_stands(client: Client) -> None:
    reply = await answered(client, small(1, brief="a red mug <lora:neon"), ErrorReply)
    assert (reply.error.code, reply.error.path) == ("invalid_value", "$.brief")
