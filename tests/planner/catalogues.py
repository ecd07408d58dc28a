"""Folders of catalogues and combos for tests."""

from pathlib import Path

from PIL import Image

ORANGE = ("C-U-009", "C-U-010")
STUDIO = ("C-U-000", "C-U-001")


def write_catalogue(home: Path, name: str = "catalog_v3.2", **prompts: str) -> None:
    """A catalogue of prompt files; two small ones where none are given."""
    folder = home / "catalogues" / name
    folder.mkdir(parents=True, exist_ok=True)
    texts = prompts or {
        "ZH01_unboxing_experience": "# Unboxing\n\na red mug on a white background\n",
        "ZH02_travel_ready": "---\nnumber: 2\n---\na blue car on a green background, straight full-height shot\n",
    }
    for stem, text in texts.items():
        (folder / f"{stem}.md").write_text(text, encoding="utf-8")


def write_combo(home: Path, combo: str, *pictures: str, style: str = "Orange", wardrobe: str = "Hoodie") -> Path:
    """A combo folder with pictures of these names."""
    folder = home / "combos" / f"{wardrobe}_combo" / f"{style}_UI_Combos" / combo
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(pictures or ("ui.png", "pose_mcu.jpg")):
        Image.new("RGB", (24, 16), (40 * number, 120, 200)).save(folder / name)
    return folder


def write_home(home: Path) -> None:
    """Two prompts and, for one wardrobe, two combos of each style."""
    write_catalogue(home)
    for combo in ORANGE:
        write_combo(home, combo)
    for combo in STUDIO:
        write_combo(home, combo, style="Studio")
    (home / "combos" / "Hoodie_combo" / "wardrobe.md").write_text("a black zip hoodie, half open\n")
