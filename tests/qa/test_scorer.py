# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
"""The scorer reads a folder in the CLIP format; the pocket scorer prefers the caption that is true."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast, SiglipConfig, SiglipModel

from agents.pocket.captions import plain
from agents.pocket.language.reading import Reading
from agents.pocket.paths import SCORER
from agents.pocket.render import Scene, render
from agents.qa.agent import Qa
from agents.qa.inspect_picture import inspect_picture
from agents.qa.measures import measure
from agents.qa.score import judge
from agents.qa.scorer import AdherenceCurve, Calibration, Scorer, ScorerBroken, is_installed, prepare
from bus.agent import Delivery
from bus.local_blobs import LocalBlobs
from protocol.messages import ImageScored, Prompt, PromptOrigin
from protocol.parameters import Region
from protocol.prompt_syntax import WEIGHTS
from tests.qa.drawings import disc, encoded, order, tower

DIMENSIONS = 16
TEXT: dict[str, Any] = {
    "vocab_size": 8,
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": 8,
    "projection_dim": DIMENSIONS,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
VISION: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 8,
    "projection_dim": DIMENSIONS,
}


def write_scorer(folder: Path, kind: str = "clip") -> Path:
    """A real, tiny model with random weights, its tokenizer and its calibration."""
    if kind == "clip":
        model: Any = CLIPModel(CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=DIMENSIONS))
    else:
        model = SiglipModel(SiglipConfig(text_config=TEXT, vision_config=VISION))
    model.save_pretrained(folder)
    words = {"[PAD]": 0, "[BOS]": 1, "[EOS]": 2, "[UNK]": 3, "a": 4, "magenta": 5, "disc": 6, "tower": 7}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[BOS] $A [EOS]", special_tokens=[("[BOS]", 1), ("[EOS]", 2)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        bos_token="[BOS]",
        eos_token="[EOS]",
        unk_token="[UNK]",
        model_max_length=8,
    ).save_pretrained(folder)
    notes = {
        "image_size": 16,
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
        "note": "ignored",
        "adherence": {"slope": 4.0, "offset": 0.5},
    }
    (folder / "calibration.json").write_text(json.dumps(notes))
    return folder


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_a_judgement_is_an_adherence_and_a_unit_vector(tmp_path: Path, kind: str) -> None:
    scorer = Scorer(write_scorer(tmp_path / "scorer", kind))
    judgement = scorer.match(disc(), "a magenta disc")
    vector = np.frombuffer(judgement.embedding, "<f2").astype(float)
    assert vector.shape == (DIMENSIONS,)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=2e-3)
    assert 0 < judgement.adherence < 1


def test_the_same_picture_and_text_give_the_same_judgement(tmp_path: Path) -> None:
    scorer = Scorer(write_scorer(tmp_path / "scorer"))
    first = scorer.match(disc(), "a magenta disc")
    assert scorer.match(disc(), "a magenta disc") == first
    assert scorer.match(disc(), "tower").embedding == first.embedding
    assert scorer.match(disc(), "tower").adherence != first.adherence
    assert scorer.match(tower(), "a magenta disc").embedding != first.embedding


@pytest.mark.parametrize("text", ["", "disc " * 10_000, "\x00\u202e🜲"], ids=["empty", "endless", "strange"])
def test_any_text_is_judged(tmp_path: Path, text: str) -> None:
    assert 0 < Scorer(write_scorer(tmp_path / "scorer")).match(disc(), text).adherence < 1


def test_a_picture_is_prepared_whole_square_and_normalised() -> None:
    calibration = Calibration(
        image_size=8, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25), adherence=AdherenceCurve(1, 0)
    )
    pixels = prepare(np.full((30, 70, 3), (255, 0, 255), np.uint8), calibration)
    assert pixels.shape == (3, 8, 8)
    assert pixels.dtype == np.float32
    assert [float(plane.min()) for plane in pixels] == [2, -2, 2]


@pytest.mark.parametrize("broken", ["calibration.json", "config.json", "model.safetensors"])
def test_a_damaged_folder_is_named_in_the_error(tmp_path: Path, broken: str) -> None:
    folder = write_scorer(tmp_path / "scorer")
    (folder / broken).write_text("{}")
    with pytest.raises(ScorerBroken, match=str(folder)):
        Scorer(folder).load()


def test_weights_that_lack_a_tower_are_refused_instead_of_drawn_at_random(tmp_path: Path) -> None:
    folder = write_scorer(tmp_path / "scorer")
    whole = load_file(folder / "model.safetensors")
    save_file({k: v for k, v in whole.items() if "text" not in k}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ScorerBroken, match="lacks weights"):
        Scorer(folder).load()


def test_weights_that_are_a_pickle_are_not_read(tmp_path: Path) -> None:
    folder = write_scorer(tmp_path / "scorer")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ScorerBroken):
        Scorer(folder).load()


def test_an_empty_folder_is_no_scorer(tmp_path: Path) -> None:
    assert not is_installed(tmp_path)
    assert is_installed(write_scorer(tmp_path / "scorer"))


async def test_the_agent_asks_for_the_subject_and_passes_the_embedding_on(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "blobs")
    scorer = Scorer(write_scorer(tmp_path / "scorer"))
    qa = Qa(blobs, scorer)
    blob = await blobs.put(encoded(disc()))

    async def adherence(prompt: Prompt, index: int, syntax: str | None = None) -> float | None:
        asked = order(blob, index=index, prompt=prompt)
        asked = msgspec.structs.replace(asked, job=asked.job.with_pixels(prompt_syntax=syntax))
        said = await qa.handle(asked, Delivery(subject="s", delivered=1))
        assert isinstance(said[0], ImageScored)
        assert said[0].assessment.embedding == scorer.match(disc(), "").embedding
        return said[0].assessment.measures["adherence"]

    dressed = Prompt(text="tower tower tower", subject="a magenta disc")
    assert await adherence(dressed, 0) == round(scorer.match(disc(), "a magenta disc").adherence, 4)
    assert await adherence(Prompt(text="tower"), 1) == round(scorer.match(disc(), "tower").adherence, 4)
    assert await adherence(Prompt(text="(tower:1.4)"), 2, "weights") == await adherence(Prompt(text="tower"), 1)


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """The pocket scorer."""
    return Scorer(SCORER)


@pytest.mark.skipif(not is_installed(SCORER), reason="the pocket scorer is not in this checkout: make pocket")
class TestPocketScorer:
    """What the embedded scorer must be able to tell."""

    def scenes(self) -> list[Scene]:
        rng = np.random.default_rng(11)
        return [
            Scene(k % 16, int(c), int((c + 1 + rng.integers(11)) % 12), int(rng.integers(3)), seed=900 + k)
            for k, c in enumerate(rng.integers(0, 12, 48))
        ]

    def test_the_true_caption_is_preferred_to_another_ones(self, scorer: Scorer) -> None:
        scenes = self.scenes()
        others = [*scenes[7:], *scenes[:7]]
        preferred = [
            scorer.match(render(scene), plain(scene)).adherence > scorer.match(render(scene), plain(other)).adherence
            for scene, other in zip(scenes, others, strict=True)
        ]
        assert np.mean(preferred) >= 0.95

    def test_most_true_pictures_pass_the_bar_of_0_85_and_most_others_stay_below_half(self, scorer: Scorer) -> None:
        def score(scene: Scene, caption: Scene) -> float:
            rgb = render(scene)
            taken = replace(measure(rgb), adherence=scorer.match(rgb, plain(caption)).adherence)
            return judge(taken, min_score=0.85).score or 0.0

        scenes = self.scenes()
        others = [*scenes[7:], *scenes[:7]]
        assert np.mean([score(scene, scene) >= 0.85 for scene in scenes]) >= 0.7
        assert np.mean([score(scene, other) < 0.5 for scene, other in zip(scenes, others, strict=True)]) >= 0.8

    def test_regions_are_judged_each_by_its_own_prompt_and_the_least_sure_one_counts(self, scorer: Scorer) -> None:
        one, other = self.scenes()[:2]
        side_by_side = encoded(np.concatenate([render(one), render(other)], axis=1))

        def adherence(left: str, right: str) -> float:
            message = order("ab" * 32)
            regions = [Region(prompt=left, box=[0.0, 0.0, 0.5, 1.0]), Region(prompt=right, box=[0.5, 0.0, 0.5, 1.0])]
            job = msgspec.structs.replace(
                message.job.with_pixels(regions=regions, prompt="two things"), prompt_origin=PromptOrigin()
            )
            found = inspect_picture(side_by_side, msgspec.structs.replace(message, job=job), scorer).measures
            assert found is not None
            assert found.adherence is not None
            return found.adherence

        assert adherence(plain(one), plain(other)) > 0.5
        assert max(adherence(plain(one), plain(one)), adherence(plain(other), plain(other))) < 0.2

    def test_what_weighs_nothing_is_not_looked_for(self, scorer: Scorer) -> None:
        message = order("ab" * 32)
        pixels = message.job.with_pixels(prompt="a (red:0) car, (a boat:-1)", prompt_syntax=WEIGHTS)
        job = msgspec.structs.replace(pixels, prompt_origin=PromptOrigin())
        asked: list[str] = []

        def read(text: str) -> Reading:
            asked.append(text)
            return Reading(None)

        inspect_picture(encoded(disc()), msgspec.structs.replace(message, job=job), scorer, read)
        assert asked == ["a  car, "]
