"""Versions of weights: a hash that follows every byte and is computed once."""

import os
from pathlib import Path

from agents.generator.registry.weight_hashes import known_version, version_of


def folder_of(place: Path, **weights: bytes) -> Path:
    """A model's folder with these weight files."""
    for name, data in weights.items():
        (place / name).mkdir(parents=True, exist_ok=True)
        (place / name / "model.safetensors").write_bytes(data)
    return place


def test_the_version_follows_bytes_and_names(tmp_path: Path) -> None:
    kept = tmp_path / "weights.json"
    first = version_of(folder_of(tmp_path / "a", unet=b"one", vae=b"two"), kept)

    assert version_of(folder_of(tmp_path / "b", unet=b"one", vae=b"two"), kept) == first
    assert version_of(folder_of(tmp_path / "c", unet=b"one", vae=b"twi"), kept) != first
    assert version_of(folder_of(tmp_path / "d", unet=b"two", vae=b"one"), kept) != first


def test_a_large_model_is_known_once_it_was_read_and_until_a_file_changes(tmp_path: Path) -> None:
    kept, place = tmp_path / "weights.json", folder_of(tmp_path / "a", unet=b"one", vae=b"two")

    assert known_version(place, kept, quick_bytes=5) is None
    assert known_version(place, kept, quick_bytes=6) == version_of(place, kept)
    assert known_version(place, kept, quick_bytes=0) == version_of(place, kept)
    os.utime(place / "unet" / "model.safetensors", ns=(1, 1))
    assert known_version(place, kept, quick_bytes=0) is None


def test_a_folder_without_weights_has_no_version_to_be_found_by(tmp_path: Path) -> None:
    assert known_version(tmp_path, tmp_path / "weights.json") is None
