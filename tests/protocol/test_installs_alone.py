"""`protocol` installs by itself, and needs msgspec and zstandard only."""

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MODULES = sorted(file.stem for file in (ROOT / "protocol").glob("*.py") if file.stem != "__init__")

PROGRAM = f"""
import importlib, importlib.util, sys
sys.path.insert(0, sys.argv[1])
for name in {MODULES}:
    module = importlib.import_module("protocol." + name)
    assert module.__file__.startswith(sys.argv[1]), module.__file__
for foreign in ("agents", "bus", "tests", "nats", "pydantic", "structlog", "torch"):
    assert importlib.util.find_spec(foreign) is None, foreign
from protocol import codec
from protocol.commands import GenerateImages, Requirements
from protocol.messages import CancelBatch
command = GenerateImages(brief="a mug", requirements=Requirements(quantity=4))
assert codec.decode_command(codec.encode(command)) == command
payload, headers = codec.pack(CancelBatch(hash="gen_batch_42", client_id="local"))
assert codec.decode_message(codec.unpack(payload, headers)).hash == "gen_batch_42"
smaller, headers = codec.pack(CancelBatch(hash="gen_batch_42", client_id="local"), dictionary=True)
assert codec.unpack(smaller, headers) == codec.unpack(payload, headers) and len(smaller) < len(payload)
print("ok")
"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `protocol` as pip installs it from its own folder, and the two packages that it names."""
    folder = tmp_path_factory.mktemp("alone")
    source, target = folder / "source", folder / "installed"
    shutil.copytree(ROOT / "protocol", source, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--target", str(target)]
    subprocess.run([*pip, *offline, str(source)], check=True, timeout=50)
    for name in ("msgspec", "zstandard"):
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        (target / name).symlink_to(Path(spec.origin).parent)
    return target


def test_protocol_works_with_nothing_but_msgspec_and_zstandard(alone: Path) -> None:
    # -I -S: no site-packages, no environment, no working folder on the path.
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROGRAM, str(alone)], capture_output=True, text=True, check=False, timeout=50
    )

    assert (run.returncode, run.stdout.strip()) == (0, "ok"), run.stderr


def test_the_installed_package_carries_its_schemas_and_says_that_it_is_typed(alone: Path) -> None:
    installed = {file.name for file in (alone / "protocol").iterdir()}

    assert {"schema.json", "asyncapi.json", "py.typed"} <= installed
    assert {file.name for file in (ROOT / "protocol").glob("*.zdict")} <= installed
    assert "tests" not in installed
