"""Reference pictures: whether a model follows them, and by which IP-Adapter. Pure module."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from agents.planner.planning.prompt_catalogue import CatalogueSelection
from agents.planner.planning.source_images import LoadedImage
from protocol.catalogue import Asset, ReferenceBlob
from protocol.errors import BadCommand, Refused
from protocol.offers import IpAdapterInfo, ModelInfo
from protocol.parameters import Reference, ReferenceRole
from protocol.sources import ImagePrompt

ROLE_OF_ASSET: dict[Asset, ReferenceRole] = {
    "ui": "composition",
    "pose": "composition",
    "wardrobe": "subject",
    "bottom": "subject",
    "product": "subject",
    "other": "subject",
}
"""What to take from a picture of a combo, by what it shows."""


class ReferenceSupport(Struct, frozen=True, kw_only=True):
    """How a model follows reference pictures: at most `most` of them, in each role by one of `adapters`; without
    adapters by itself, in every role."""

    most: int = 0
    adapters: dict[ReferenceRole, str] = {}

    def follows(self, role: ReferenceRole) -> bool:
        """Whether it follows pictures in a role."""
        return self.most > 0 and (role in self.adapters or not self.adapters)


def reference_support(model: ModelInfo, known: Iterable[IpAdapterInfo]) -> ReferenceSupport:
    """How a model follows pictures now. Of several IP-Adapters for a role it is the one that is for the fewest."""
    mine = [one for one in known if one.platform == model.platform and one.installed]
    adapters: dict[ReferenceRole, str] = {}
    for one in sorted(mine, key=lambda one: (len(one.roles), one.name)):
        for role in one.roles:
            adapters.setdefault(role, one.name)
    return ReferenceSupport(most=model.references, adapters=adapters)


def image_prompts(
    wanted: Sequence[Reference],
    pictures: Sequence[LoadedImage],
    model: ModelInfo,
    following: ReferenceSupport,
    known: Iterable[IpAdapterInfo],
) -> list[ImagePrompt]:
    """The pictures of a command as they are followed.

    Raises:
        BadCommand: more of them than the model follows.
        Refused: the model follows no picture in that role.
    """
    for position, one in enumerate(wanted):
        if not following.follows(one.role):
            raise _unfollowed_refusal(one.role, f"$.references[{position}].role", model, following, known)
    if len(wanted) > following.most:
        raise BadCommand(
            "invalid_value",
            f"{len(wanted)} reference pictures, and {model.name} follows at most {following.most}",
            path="$.references",
            hint="leave some out",
        )
    return [
        ImagePrompt(blob=picture.blob, role=one.role, adapter=following.adapters.get(one.role), weight=one.weight)
        for one, picture in zip(wanted, pictures, strict=True)
    ]


def add_combo_references(
    own: Sequence[ImagePrompt], combo: Sequence[ReferenceBlob], following: ReferenceSupport
) -> list[ImagePrompt]:
    """The pictures of a command, and after them those of a combo that the model follows as well."""
    taken = (one for one in combo if following.follows(ROLE_OF_ASSET[one.asset]))
    added = [
        ImagePrompt(blob=one.blob, role=(role := ROLE_OF_ASSET[one.asset]), adapter=following.adapters.get(role))
        for one in taken
    ]
    return [*own, *added][: max(following.most, len(own))]


def unfollowed_notes(shelf: CatalogueSelection, model: str, following: ReferenceSupport, own: int) -> list[str]:
    """What a plan says of pictures of combos that are not followed, beside `own` of the command."""
    found: list[str] = []
    if own + shelf.references > following.most:
        most = f"at most {following.most} reference pictures" if following.most else "no reference pictures"
        found.append(f"references: {model} follows {most}; a combo has up to {shelf.references}")
    unfollowed = {asset: ROLE_OF_ASSET[asset] for asset in shelf.assets if not following.follows(ROLE_OF_ASSET[asset])}
    if following.most and unfollowed:
        roles = " or ".join(sorted(set(unfollowed.values())))
        found.append(f"references: {model} follows no {roles}; pictures of {', '.join(unfollowed)} are left out")
    return found


def _unfollowed_refusal(
    role: ReferenceRole, path: str, model: ModelInfo, following: ReferenceSupport, known: Iterable[IpAdapterInfo]
) -> Refused:
    able = [one for one in known if role in one.roles]
    mine = [one for one in able if one.platform == model.platform]
    ways = [one.install for one in mine if one.install][:1]
    if following.adapters:
        ways.append(f"{model.name} follows {', '.join(sorted(following.adapters))}")
    elif not mine:
        others = sorted({one.platform for one in able})
        ways.append(f"platforms that can: {', '.join(others)}" if others else "no model here can")
    if role == "palette":
        ways.append("a palette is followed through requirements.style_reference")
    return Refused(
        "not_installed" if mine else "not_supported",
        f"{model.name} follows no reference picture as {role}",
        path=path,
        hint="; ".join(ways),
    )
