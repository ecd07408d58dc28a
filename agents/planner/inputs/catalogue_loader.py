"""The folders of catalogues and combos, read when a batch is planned and kept as one blob.

Nothing is opened by a name that came in a command: names are looked up among the folders that are there.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from agents.planner.inputs.unread_files import name_list, unread_pictures, unread_warnings
from agents.planner.planning import prompt_catalogue
from agents.planner.planning.command_texts import Note, group_notes, is_blank, read_catalogue_text
from agents.planner.planning.prompt_catalogue import CatalogueSelection
from agents.shared.contained_path import lies_within
from agents.shared.picture import MAX_BYTES, Undecodable
from agents.shared.picture_formats import FORMATS, PICTURE_SUFFIXES
from agents.shared.sandbox.pool import PARSERS
from agents.shared.text_file import decode_text
from bus.blobs import Blobs
from protocol.catalogue import CatalogueCombo, CatalogueEntry, CatalogueSnapshot, ReferenceBlob
from protocol.commands import Catalogue, Combos, GenerateImages
from protocol.errors import BadCommand, Refused
from protocol.prompt_syntax import plain_text

MAX_ENTRIES = 1000
MAX_COMBOS = 1000
MAX_REFERENCES = 16
"""Pictures in one combo folder."""

MAX_PROMPT_FILE_BYTES = 64 * 1024
MAX_PROMPT_CHARACTERS = 4000
"""The longest prompt that a command may carry as well."""

DESCRIPTION_FILES = ("wardrobe.md", "wardrobe.txt", "description.md", "description.txt")
"""Text files of a combo or wardrobe folder that say what is worn."""

_FileStamp = tuple[str, int, int]


class CatalogueLoader:
    """Catalogues and combos below two folders. Pictures are read again only when they changed."""

    def __init__(self, catalogues: Path, combos: Path, blobs: Blobs) -> None:
        self._catalogues = catalogues
        self._combos = combos
        self._blobs = blobs
        self._known_references: dict[_FileStamp, tuple[ReferenceBlob, str | None]] = {}

    async def load(self, command: GenerateImages, words: Mapping[str, str] | None = None) -> CatalogueSelection | None:
        """What a command runs through, kept in the blob store; null where it names no catalogue. `words` are the
        learned words that are installed.

        Raises:
            BadCommand: combos without a catalogue, or more than a batch may have.
            Refused: a name that no folder has, or a file that cannot be used.
        """
        if command.catalogue is None:
            if command.combos is not None:
                raise BadCommand(
                    "missing_field",
                    "combos are run with the prompts of a catalogue",
                    path="$.combos",
                    hint='give "catalogue": {"names": […]}',
                )
            return None
        try:
            entries, notes = await asyncio.to_thread(self._load_entries, command.catalogue, words or {})
            combos, warnings = await self._load_combos(command.combos) if command.combos is not None else ([], [])
            catalogues = await asyncio.to_thread(self._catalogue_paths, command.catalogue)
            warnings = await asyncio.to_thread(unread_warnings, catalogues, []) + warnings
        except OSError as error:
            raise Refused(
                "invalid_value", f"{error.filename}: {error.strerror}", path="$.catalogue", hint="make it readable"
            ) from error
        snapshot = CatalogueSnapshot(entries=entries, combos=combos)
        return CatalogueSelection(
            blob=await self._blobs.put(msgspec.json.encode(snapshot)),
            entries=[(entry.catalogue, entry.id) for entry in entries],
            combos=[(combo.wardrobe, combo.ui_style, combo.id) for combo in combos],
            references=max((len(combo.references) for combo in combos), default=0),
            assets=sorted({one.asset for combo in combos for one in combo.references}),
            warnings=[*notes, *prompt_catalogue.pose_warnings(entries, combos), *warnings],
            texts=[(f"{entry.catalogue}/{entry.id}", entry.text) for entry in entries[: prompt_catalogue.MAX_TEXTS]],
        )

    def _catalogue_paths(self, wanted: Catalogue) -> list[Path]:
        folders = _list_folders(self._catalogues)
        return [
            self._catalogues / prompt_catalogue.catalogue_folder(name, folders, f"$.catalogue.names[{position}]")
            for position, name in enumerate(wanted.names)
        ]

    def _load_entries(self, wanted: Catalogue, words: Mapping[str, str]) -> tuple[list[CatalogueEntry], list[str]]:
        """The prompts that are asked for, as they are understood, and what of them is not done."""
        entries: list[CatalogueEntry] = []
        for folder in self._catalogue_paths(wanted):
            entries += self._read_prompts(folder)
        kept = prompt_catalogue.select_entries(entries, wanted.prompts)
        if not 1 <= len(kept) <= MAX_ENTRIES:
            raise Refused(
                "invalid_value", f"1 to {MAX_ENTRIES} prompts, not {len(kept)}", path="$.catalogue", hint="name fewer"
            )
        notes: list[Note] = []
        read: list[CatalogueEntry] = []
        for entry in kept:
            where = f"{entry.catalogue}/{entry.id}"
            text, said = read_catalogue_text(entry.text, where, words)
            if is_blank(plain_text(text)) or len(text) > MAX_PROMPT_CHARACTERS:
                problem = f"without its settings, 1 to {MAX_PROMPT_CHARACTERS} characters have to be left"
                hint = "say what the picture shows, or leave the prompt out of catalogue.prompts"
                raise Refused("invalid_value", f"{where}: {problem}", path="$.catalogue", hint=hint)
            read.append(msgspec.structs.replace(entry, text=text))
            notes += said
        return read, group_notes(notes)

    def _read_prompts(self, folder: Path) -> Iterator[CatalogueEntry]:
        for file in _list_files(folder, (".md",)):
            text = prompt_catalogue.prompt_of(_read_text(file, self._catalogues, MAX_PROMPT_FILE_BYTES, "$.catalogue"))
            if is_blank(text):
                raise _unusable_refusal(
                    file, "it has no prompt", "$.catalogue", "write one below the title, or remove the file"
                )
            if len(text) > MAX_PROMPT_CHARACTERS or "\0" in text:
                raise _unusable_refusal(
                    file, f"a prompt has 1 to {MAX_PROMPT_CHARACTERS} characters, not {len(text)}", "$.catalogue"
                )
            name = prompt_catalogue.catalogue_name(folder.name)
            yield CatalogueEntry(catalogue=name, id=file.stem, text=text, pose=prompt_catalogue.requested_pose(text))

    async def _load_combos(self, wanted: Combos) -> tuple[list[CatalogueCombo], list[str]]:
        """The combos that are asked for, and what is to be said of their files."""
        styles = await asyncio.to_thread(lambda: list(self._style_folders(wanted)))
        places = await asyncio.to_thread(lambda: list(_combo_paths(styles, self._combos)))
        combos = [
            CatalogueCombo(
                id=place.stem if place.is_file() else place.name,
                wardrobe=wardrobe,
                ui_style=ui_style,
                description=await asyncio.to_thread(_read_description, place, self._combos, wardrobe),
                references=[],
            )
            for place, wardrobe, ui_style in places
        ]
        where = {
            (combo.wardrobe, combo.ui_style, combo.id): place for combo, (place, *_) in zip(combos, places, strict=True)
        }
        unread = await asyncio.to_thread(lambda: [file for folder, *_ in styles for file in unread_pictures(folder)])
        unread = [file for file in unread if not wanted.names or file.stem in wanted.names]
        known = {combo.id for combo in combos}
        if lost := next((file for file in unread if file.stem in wanted.names and file.stem not in known), None):
            raise _unusable_refusal(lost, f"no {', '.join(FORMATS)} file", "$.combos.names")
        kept = prompt_catalogue.select_combos(combos, wanted.names)
        if not 1 <= len(kept) <= MAX_COMBOS:
            raise Refused(
                "invalid_value", f"1 to {MAX_COMBOS} combos, not {len(kept)}", path="$.combos", hint="name fewer"
            )
        loaded: list[CatalogueCombo] = []
        animations: list[str] = []
        for combo in kept:
            place = where[combo.wardrobe, combo.ui_style, combo.id]
            references, notes = await self._load_references(place)
            loaded.append(msgspec.structs.replace(combo, references=references))
            animations += notes
            unread += await asyncio.to_thread(unread_pictures, place)
        return loaded, [*unread_warnings([], unread), *animations]

    def _style_folders(self, wanted: Combos) -> Iterator[tuple[Path, str, str]]:
        """(folder, wardrobe, ui style) of all that is asked for."""
        wardrobes = _list_folders(self._combos)
        if wanted.wardrobe is not None:
            wardrobes = [prompt_catalogue.wardrobe_folder(wanted.wardrobe, wardrobes)]
        styles = sorted({style for wardrobe in wardrobes for style in _list_folders(self._combos / wardrobe)})
        if wanted.ui_style is not None:
            styles = [prompt_catalogue.ui_style_folder(wanted.ui_style, styles)]
        for wardrobe in wardrobes:
            for style in styles:
                named = wanted.wardrobe or prompt_catalogue.wardrobe_name(wardrobe)
                yield self._combos / wardrobe / style, named, prompt_catalogue.ui_style_name(style)

    async def _load_references(self, place: Path) -> tuple[list[ReferenceBlob], list[str]]:
        """The pictures of a combo, that of the interface first, and what is to be said of them. Nothing outside of the
        combo is looked at."""
        alone = await asyncio.to_thread(place.is_file)
        files = [place] if alone else await asyncio.to_thread(_list_files, place, PICTURE_SUFFIXES)
        if not 1 <= len(files) <= MAX_REFERENCES:
            left_out = await asyncio.to_thread(unread_pictures, place)
            why = f"; {name_list(left_out)}: no {', '.join(FORMATS)} file" if left_out else ""
            raise _unusable_refusal(
                place, f"a combo has 1 to {MAX_REFERENCES} pictures, not {len(files)}{why}", "$.combos"
            )
        references = [await self._load_reference(file, alone) for file in files]
        notes = [note for _, note in references if note is not None]
        return sorted((one for one, _ in references), key=lambda one: one.asset != "ui"), notes

    async def _load_reference(self, file: Path, alone: bool) -> tuple[ReferenceBlob, str | None]:
        stat = await asyncio.to_thread(file.stat)
        stamp = (str(file), stat.st_mtime_ns, stat.st_size)
        known = self._known_references.get(stamp)
        if known is not None and await self._blobs.touch(known[0].blob):
            return known
        data = await asyncio.to_thread(_read, file, self._combos, MAX_BYTES, "$.combos")
        try:
            picture = await PARSERS.parse(data, "size")
        except Undecodable as error:
            raise _unusable_refusal(file, f"no {', '.join(FORMATS)} picture: {error}", "$.combos") from error
        asset, pose = ("ui", None) if alone else prompt_catalogue.asset_of(file.stem)
        made = ReferenceBlob(blob=await self._blobs.put(data), media_type=picture.media_type, asset=asset, pose=pose)
        note = f"{_place_name(file)}: the first of {picture.frames} frames is used" if picture.frames > 1 else None
        self._known_references[stamp] = made, note
        return made, note


def _combo_paths(styles: Iterable[tuple[Path, str, str]], root: Path) -> Iterator[tuple[Path, str, str]]:
    """(combo folder or picture, wardrobe, ui style) of all that the folders of styles hold."""
    for folder, wardrobe, style in styles:
        _check_within(root, folder, "$.combos")
        places = [folder / name for name in _list_folders(folder)] + _list_files(folder, PICTURE_SUFFIXES)
        for place in sorted(places, key=lambda place: place.name):
            _check_within(root, place, "$.combos")
            yield place, wardrobe, style


def _read_description(place: Path, root: Path, wardrobe: str) -> str:
    """What is worn: in the words of the combo's folder, else of its wardrobe's, else the wardrobe's name."""
    folders = [place.parent.parent] if place.is_file() else [place, place.parent.parent]
    for folder in folders:
        for name in DESCRIPTION_FILES:
            if (folder / name).is_file():
                text = _read_text(folder / name, root, MAX_PROMPT_FILE_BYTES, "$.combos")
                return prompt_catalogue.prompt_of(text)[:1000]
    return wardrobe.replace("-", " ").replace("_", " ")


def _list_folders(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _list_files(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    if not folder.is_dir():
        return []
    found = (file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    return sorted(file for file in found if file.suffix.lower() in endings)


def _read_text(file: Path, root: Path, limit: int, path: str) -> str:
    data = _read(file, root, limit, path)
    try:
        if len(data) > limit:
            raise _unusable_refusal(file, f"larger than {limit} bytes", path)
        return decode_text(data)
    except UnicodeDecodeError as error:
        raise _unusable_refusal(file, "not UTF-8", path, "save it as UTF-8, or remove it") from error


def _read(file: Path, root: Path, limit: int, path: str) -> bytes:
    """The bytes of a file, one more than `limit` at most."""
    _check_within(root, file, path)
    with file.open("rb") as opened:
        return opened.read(limit + 1)


def _check_within(root: Path, place: Path, path: str) -> None:
    """Not even the names of what lies elsewhere are told."""
    if not lies_within(root, place):
        raise _unusable_refusal(place, f"a link leads out of {root.name}", path, "put the file itself there")


def _unusable_refusal(place: Path, problem: str, path: str, hint: str = "mend or remove it") -> Refused:
    return Refused("invalid_value", f"{_place_name(place)}: {problem}", path=path, hint=hint)


def _place_name(place: Path) -> str:
    return "/".join(place.parts[-3:])
