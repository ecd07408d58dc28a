# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false
"""Models and LoRAs added from files and removed again: recognised, refused where dangerous, drawn with at once."""

import json
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import save_file

from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.files.checkpoint_file import SINGLE_FILE
from agents.generator.files.rrdb_file import RrdbFile
from agents.generator.library.install import ModelLibrary, add, remove
from agents.generator.library.models_toml import with_entry, without_entry
from agents.generator.orders.order import order_of
from agents.generator.registry.entries import LocalModel
from agents.generator.registry.registry import RegistryError
from agents.generator.upscale.network import Network
from agents.generator.upscale.rrdb import Rrdb
from protocol.commands import Lora
from protocol.errors import AcpError
from protocol.messages import Job
from tests.generator.conftest import tiny_pipeline
from tests.generator.engines.test_diffusers_engine import made, pixels
from tests.generator.pipelines.test_loras import ATTENTION, tensors
from tests.generator.platforms import PLATFORMS, install
from tests.generator.single_file import original, save


@pytest.fixture
def shelves(home: Path) -> ModelLibrary:
    return ModelLibrary(home / "models", home / "loras", home / "models.toml")


def nowhere(model: LocalModel, folder: Path) -> None:
    raise AssertionError(f"asked the hub for {model.name}")


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    folder = tmp_path / "downloads"
    StableDiffusionPipeline.save_lora_weights(
        folder, unet_lora_layers=tensors(ATTENTION), weight_name="Neon Glow v1.2.safetensors"
    )
    return folder / "Neon Glow v1.2.safetensors"


@pytest.mark.parametrize("platform", ["stable_diffusion_1_5", "stable_diffusion_xl"])
async def test_a_single_file_draws_the_picture_of_the_folder_it_was_made_of(
    shelves: ModelLibrary, platform: str, tmp_path: Path, home: Path, job: Callable[..., Job]
):
    base = install(shelves.models, platform)
    save(PLATFORMS[platform][1](), tmp_path / "mine.safetensors")

    added = add(shelves, tmp_path / "mine.safetensors", None, platform, nowhere)

    assert (added.name, added.kind, added.platform) == ("mine", "checkpoint", platform)
    known = shelves.load_registry()
    assert "mine" in known.models.installed
    fields = {"platform": platform, "steps": 4, "width": 64, "height": 64, "sampler": "Euler"}
    engine = DiffusersEngine("cpu", 1, home / "run")
    async with engine.open():
        ours = await made(engine, order_of(job(model="mine", **fields), known))
        theirs = await made(engine, order_of(job(model=base, **fields), known))
    assert np.array_equal(pixels(ours), pixels(theirs))


def test_a_single_file_takes_its_configuration_from_the_hub_where_no_model_of_its_platform_is_here(
    tmp_path: Path, tiny_folder: Path
):
    shelves = ModelLibrary(tmp_path / "models", tmp_path / "loras", tmp_path / "models.toml")
    save(tiny_pipeline(), tmp_path / "mine.safetensors")
    asked: list[str] = []

    def configure(model: LocalModel, folder: Path) -> None:
        asked.append(model.source)
        shutil.copytree(tiny_folder, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.safetensors"))

    added = add(shelves, tmp_path / "mine.safetensors", "my-model", "stable_diffusion_1_5", configure)

    assert asked == ["stable-diffusion-v1-5/stable-diffusion-v1-5"]
    assert (added.path / SINGLE_FILE).is_file()
    assert "my-model" in shelves.load_registry().models.installed


async def test_a_lora_is_drawn_with_under_its_new_name(
    shelves: ModelLibrary, lora: Path, home: Path, job: Callable[..., Job]
):
    (lora.parent / f"{lora.stem}.civitai.info").write_text(
        json.dumps({"id": 1, "baseModel": "SD 1.5", "trainedWords": ["neon glow", "night"]})
    )

    added = add(shelves, lora, None, None, nowhere)

    assert (added.name, added.platform, added.trigger_word) == ("Neon_Glow_v1_2", "stable_diffusion_1_5", "neon glow")
    known = shelves.load_registry()
    assert known.loras["Neon_Glow_v1_2"].trigger == "neon glow"
    engine = DiffusersEngine("cpu", 1, home / "run")
    async with engine.open():
        plain = await made(engine, order_of(job(), known))
        glowing = await made(engine, order_of(job(loras=[Lora(name="Neon_Glow_v1_2")]), known))
    assert plain.data != glowing.data


@pytest.mark.parametrize(
    ("content", "platform", "token"),
    [
        ({"<moss>": torch.zeros(768)}, "stable_diffusion_1_5", "<moss>"),
        ({"emb_params": torch.zeros(8, 768)}, "stable_diffusion_1_5", "bad_hands-5"),
        ({"clip_l": torch.zeros(8, 768), "clip_g": torch.zeros(8, 1280)}, "stable_diffusion_xl", "bad_hands-5"),
    ],
)
def test_a_textual_inversion_teaches_its_word_or_the_name_of_its_file(
    shelves: ModelLibrary, tmp_path: Path, content: dict, platform: str, token: str
):
    save_file(content, tmp_path / "bad hands-5.safetensors")

    added = add(shelves, tmp_path / "bad hands-5.safetensors", None, None, nowhere)

    assert (added.kind, added.platform, added.trigger_word) == ("embedding", platform, token)
    known = shelves.load_registry()
    assert known.embeddings["bad_hands-5"].token == token
    assert "bad_hands-5" in known.embeddings.installed
    remove(shelves, "bad_hands-5")
    assert list(shelves.embeddings.iterdir()) == []


def test_an_upscaler_becomes_a_tool(shelves: ModelLibrary, tmp_path: Path):
    form = RrdbFile(features=8, blocks=1, growth=4, doublings=2, squeeze=1, tensor_names={})
    save_file(Rrdb(form).state_dict(), tmp_path / "x4.safetensors")

    added = add(shelves, tmp_path / "x4.safetensors", None, None, nowhere)

    assert (added.kind, added.platform) == ("upscaler", None)
    known = shelves.load_registry()
    assert known.tools["x4"].kind == "upscaler"
    assert known.tools.installed == {"x4"}
    assert Network(known.tools.paths["x4"], torch.device("cpu")).scale == 4
    assert remove(shelves, "x4").freed_bytes


def test_a_folder_is_used_where_it_lies(shelves: ModelLibrary, tiny_folder: Path):
    added = add(shelves, tiny_folder, "again", None, nowhere)
    assert (added.kind, added.platform, added.path) == ("folder", "stable_diffusion_1_5", tiny_folder)
    assert shelves.load_registry().models.paths["again"] == tiny_folder

    removed = remove(shelves, "again")

    assert (removed.freed_bytes, removed.remaining_path) == (0, tiny_folder)
    assert (tiny_folder / "model_index.json").is_file()
    assert "again" not in shelves.load_registry().models


def test_what_was_added_is_gone_after_it_is_removed_and_the_rest_stays(shelves: ModelLibrary, lora: Path):
    before = shelves.registry_file.read_text()
    save(tiny_pipeline(), lora.with_name("mine.safetensors"))
    add(shelves, lora, "glow2", "sd15", nowhere)
    add(shelves, lora.with_name("mine.safetensors"), None, "sd15", nowhere)

    freed = [remove(shelves, name).freed_bytes for name in ("mine", "glow2")]

    assert all(freed)
    assert shelves.registry_file.read_text().strip() == before.strip()
    assert list(shelves.models.iterdir()) == list(shelves.loras.iterdir()) == []
    assert lora.is_file()


def test_a_lora_that_lies_in_its_folder_already_is_made_known_and_no_other_file_is_written_over(
    shelves: ModelLibrary, lora: Path
):
    shelves.loras.mkdir(parents=True, exist_ok=True)
    lies = shelves.loras / "light_of_mine.safetensors"
    shutil.copyfile(lora, lies)
    before = lies.read_bytes()

    with pytest.raises(AcpError, match="another file lies at"):
        add(shelves, lora, "light_of_mine", "pocket", nowhere)
    assert add(shelves, lies, None, "pocket", nowhere).path == lies

    assert lies.read_bytes() == before
    assert "light_of_mine" in shelves.load_registry().loras.installed


def changed(path: Path, file: str, change: Callable[[dict], dict]) -> None:
    (path / file).write_text(json.dumps(change(json.loads((path / file).read_text()))))


def pickled_unet(path: Path) -> None:
    (path / "unet" / "diffusion_pytorch_model.safetensors").rename(path / "unet" / "diffusion_pytorch_model.bin")


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (pickled_unet, "pickle"),
        (lambda path: changed(path, "model_index.json", lambda it: it | {"unet": ["my_unet", "Mine"]}), "code"),
        (lambda path: (path / "model_index.json").unlink(), "model_index.json"),
        (lambda path: (path / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"PK"), "unet"),
        (lambda path: shutil.rmtree(path / "vae"), "vae"),
    ],
)
def test_a_folder_that_could_run_code_or_is_not_whole_is_refused(
    shelves: ModelLibrary, tiny_folder: Path, tmp_path: Path, spoil: Callable[[Path], object], word: str
):
    copy = tmp_path / "copy"
    shutil.copytree(tiny_folder, copy)
    spoil(copy)
    with pytest.raises(AcpError) as refused:
        add(shelves, copy, None, None, nowhere)
    assert word in refused.value.body.message
    assert refused.value.body.hint
    assert "copy" not in shelves.load_registry().models


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("model.ckpt", b"\x80\x02}q\x00.", "pickle"),
        ("model.safetensors", b"\x80\x02}q\x00.", "not begin"),
        ("model.gguf", b"GGUF", "no safetensors"),
    ],
)
def test_a_file_that_is_no_sound_model_is_refused(
    shelves: ModelLibrary, tmp_path: Path, name: str, content: bytes, word: str
):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AcpError) as refused:
        add(shelves, tmp_path / name, None, "sd15", nowhere)
    assert word in refused.value.body.message


@pytest.mark.parametrize(
    ("keep", "word"),
    [
        (lambda name: name.startswith("model."), "an image decoder and a text encoder"),
        (lambda name: not name.startswith("first_stage"), "an image decoder"),
    ],
)
def test_a_checkpoint_that_lacks_a_part_is_refused_by_the_parts_name(
    shelves: ModelLibrary, tmp_path: Path, keep: Callable[[str], bool], word: str
):
    file = tmp_path / "part.safetensors"
    save_file({name: tensor for name, tensor in original(tiny_pipeline()).items() if keep(name)}, file)
    with pytest.raises(AcpError) as refused:
        add(shelves, file, None, "sd15", nowhere)
    assert word in refused.value.body.message


def test_a_transformer_alone_is_told_from_a_whole_model(shelves: ModelLibrary, tmp_path: Path):
    file = tmp_path / "flux.safetensors"
    save_file({"double_blocks.0.img_attn.proj.weight": torch.zeros(2, 2)}, file)
    with pytest.raises(AcpError) as refused:
        add(shelves, file, None, None, nowhere)
    assert "text encoders" in refused.value.body.message


def test_names_and_platforms_that_cannot_be_are_refused_with_what_can(
    shelves: ModelLibrary, lora: Path, tmp_path: Path
):
    def refusal(name: str | None, platform: str | None, path: Path = lora) -> AcpError:
        with pytest.raises(AcpError) as refused:
            add(shelves, path, name, platform, nowhere)
        return refused.value

    assert "--name" in (refusal("glow", "sd15").body.hint or "")
    assert "--name" in (refusal("a/b", "sd15").body.hint or "")
    assert "--platform" in (refusal("fresh", None).body.hint or "")
    assert refusal("fresh", "sdxll").body.hint == "did you mean sdxl?"
    assert "nothing at" in refusal(None, None, tmp_path / "absent.safetensors").body.message
    with pytest.raises(AcpError) as built_in:
        remove(shelves, "pocket")
    assert built_in.value.body.hint == "it comes with bottega"
    with pytest.raises(AcpError) as misspelt:
        remove(shelves, "pockett")
    assert misspelt.value.body.hint == "did you mean pocket?"


TEXT = """# mine
[models.a]
steps = 3  # few

[loras."b"] # quoted
trigger = "x [y]"

[models.c]
steps = 4
"""


@pytest.mark.parametrize(
    ("table", "after"),
    [
        ("models.a", '# mine\n[loras."b"] # quoted\ntrigger = "x [y]"\n\n[models.c]\nsteps = 4\n'),
        ("loras.b", "# mine\n[models.a]\nsteps = 3  # few\n\n[models.c]\nsteps = 4\n"),
        ("models.c", '# mine\n[models.a]\nsteps = 3  # few\n\n[loras."b"] # quoted\ntrigger = "x [y]"\n\n'),
    ],
)
def test_one_entry_is_taken_out_of_the_text_and_nothing_else(table: str, after: str):
    assert without_entry(TEXT, table) == after


def test_what_is_entered_is_read_as_it_was_meant():
    text = with_entry(TEXT, "models.new", {"source": 'a "quote", a \\ and an é', "steps": 7, "negative_prompt": True})
    assert tomllib.loads(text)["models"]["new"] == {
        "source": 'a "quote", a \\ and an é',
        "steps": 7,
        "negative_prompt": True,
    }
    assert without_entry(text, "models.new").rstrip() == TEXT.rstrip()


def test_an_unknown_entry_leaves_the_text_as_it_is():
    assert without_entry(TEXT, "models.z") == TEXT


LAID_OUT = """# by hand
models = { a = { steps = 3 } }  # in one line

[tools.x]
sizes = [
    1,  # one
    [2, 3],
]
"""


def test_an_entry_joins_its_kind_however_that_is_laid_out():
    text = with_entry(with_entry(LAID_OUT, "models.b", {"steps": 4}), "tools.y", {"sizes": [5, 6]})

    assert tomllib.loads(text) == {
        "models": {"a": {"steps": 3}, "b": {"steps": 4}},
        "tools": {"x": {"sizes": [1, [2, 3]]}, "y": {"sizes": [5, 6]}},
    }
    assert {"# by hand", "1,  # one"} <= {line.strip() for line in text.splitlines()}
    assert "# in one line" in text
    assert without_entry(without_entry(text, "models.b"), "tools.y").rstrip() == LAID_OUT.rstrip()


def test_a_table_inside_an_entry_goes_with_it():
    text = TEXT + "\n[models.c.extra]\nsteps = [\n    5,\n]\n"

    assert without_entry(text, "models.c").rstrip() == without_entry(TEXT, "models.c").rstrip()


def test_an_entry_that_a_generator_could_not_read_leaves_the_file_as_it_was(shelves: ModelLibrary):
    shelves.registry_file.write_text(TEXT)
    with pytest.raises(RegistryError, match="not TOML"):
        shelves.edit_registry(lambda text: with_entry(f"{text}[[[", "models.d", {}))
    with pytest.raises(RegistryError):
        shelves.edit_registry(lambda text: with_entry(text, "models.d", {"steps": "many"}))

    assert shelves.registry_file.read_text() == TEXT
    assert [file.name for file in shelves.registry_file.parent.glob(".*.partial")] == []
