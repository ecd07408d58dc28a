"""The prompt agent as the bus sees it."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from agents.prompt.agent import MAX_PAGE_BYTES, PromptWriter, build
from agents.shared.settings import Settings
from bus.agent import Delivery, Outbound
from protocol.codec import MAX_MESSAGE_BYTES, encode
from protocol.errors import AcpError, Refused
from protocol.messages import Prompt, PromptsFailed, PromptsWritten, WritePrompts
from protocol.parameters import StyleSettings

DELIVERY = Delivery("acp.v1.work.prompt.gen_batch_1.0", 1)


@pytest.fixture
def agent(tmp_path: Path) -> PromptWriter:
    return build(Settings(home=tmp_path))


def request(**given: object) -> WritePrompts:
    base = {"hash": "gen_batch_1", "client_id": "local", "first": 0, "count": 4, "seed": 7, "type": "WRITE_PROMPTS"}
    return msgspec.convert(base | given, WritePrompts)


def prompts_of(answers: Sequence[Outbound]) -> list[Prompt]:
    return [prompt for answer in answers if isinstance(answer, PromptsWritten) for prompt in answer.prompts]


def test_the_settings_of_styles_that_have_any_are_announced(agent: PromptWriter) -> None:
    told = agent.presence("prompt-1")
    assert "plain" in told.styles
    assert told.style_settings == {
        "fowlai": StyleSettings(
            sampler="DPM++ 2M Karras", steps=25, guidance=7.0, lora_weight=0.8, quantity=6, resolution="9:16"
        )
    }


async def test_a_page_is_answered_with_its_prompts(agent: PromptWriter) -> None:
    [written] = await agent.handle(request(first=100, count=100, style="product_photography"), DELIVERY)
    assert isinstance(written, PromptsWritten)
    assert (written.hash, written.client_id, written.first, len(written.prompts)) == ("gen_batch_1", "local", 100, 100)


async def test_pages_asked_for_one_by_one_are_the_prompts_asked_for_at_once(agent: PromptWriter) -> None:
    whole = await agent.handle(request(count=60), DELIVERY)
    parts = [await agent.handle(request(first=first, count=20), DELIVERY) for first in (0, 20, 40)]
    assert prompts_of(whole) == [prompt for part in parts for prompt in prompts_of(part)]


async def test_of_a_page_of_long_prompts_the_first_that_fit_a_message_are_written(agent: PromptWriter) -> None:
    asked = request(first=50, count=100, prompts=["é" * 4000], negative_prompt="ü" * 4000)
    [written] = await agent.handle(asked, DELIVERY)
    assert isinstance(written, PromptsWritten)
    assert written.first == 50
    assert 1 < len(written.prompts) < 100
    assert MAX_PAGE_BYTES / 2 < len(encode(written)) < MAX_MESSAGE_BYTES


@pytest.mark.parametrize(
    ("given", "path", "hint"),
    [
        ({"style": "product_fotography"}, "$.style", "did you mean product_photography?"),
        (
            {"style_reference": "brand_guidelines_v3"},
            "$.requirements.style_reference",
            "did you mean brand_guidelines_v2?",
        ),
        ({"style": "../../etc/passwd"}, "$.style", None),
    ],
)
async def test_an_unknown_name_is_refused_with_the_nearest_known_one(
    agent: PromptWriter, given: dict[str, str], path: str, hint: str | None
) -> None:
    with pytest.raises(Refused) as refused:
        await agent.handle(request(**given), DELIVERY)
    body = refused.value.body
    assert (body.code, body.path, body.retryable) == ("unknown_style", path, False)
    assert body.hint == hint or (hint is None and (body.hint or "").startswith("known: "))


@pytest.mark.parametrize("given", [{"count": 0}, {"count": 1001}, {"first": -1}])
async def test_a_page_that_is_none_is_refused(agent: PromptWriter, given: dict[str, int]) -> None:
    with pytest.raises(AcpError) as refused:
        await agent.handle(request(**given), DELIVERY)
    assert refused.value.code == "invalid_value"


async def test_giving_up_says_which_page_failed_and_why(agent: PromptWriter) -> None:
    error = Refused("unknown_style", "there is no style 'x'")
    assert await agent.give_up(request(first=200), error) == [
        PromptsFailed(hash="gen_batch_1", client_id="local", first=200, error=error.body)
    ]


async def test_presence_lists_packaged_and_own_styles_and_references(agent: PromptWriter, tmp_path: Path) -> None:
    (tmp_path / "styles").mkdir()
    own = 'version = "1"\ndescription = "d"\ntemplate = "{subject}, chalk"\nsubjects = ["mug"]\n'
    (tmp_path / "styles" / "chalk.toml").write_text(own)
    presence = agent.presence("prompt_1")
    assert {"plain", "product_photography", "chalk"} <= set(presence.styles)
    assert presence.style_references == ["brand_guidelines_v2"]
    [written] = await agent.handle(request(style="chalk", brief="a hen", count=1), DELIVERY)
    assert isinstance(written, PromptsWritten)
    assert written.prompts[0].text == "a hen, chalk"
