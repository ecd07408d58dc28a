"""What plans expect of models of which no process that runs has made a picture yet: what one announced earlier, or what
the ledger knows."""

import asyncio
from dataclasses import replace

from agents.planner.ledger.measured_pictures import newest_pictures
from agents.planner.planning.capabilities import Capabilities
from agents.planner.planning.measured_pictures import MeasuredPicture, with_earlier_seconds
from agents.shared.database.group_commit import GroupCommit


class EarlierSeconds:
    """One planner's memory. The ledger is read once."""

    def __init__(self, ledger: GroupCommit) -> None:
        self._ledger = ledger
        self._announced: dict[str, float] = {}
        self._pictures: dict[str, list[MeasuredPicture]] | None = None
        self._reading = asyncio.Lock()

    async def complete(self, workshop: Capabilities) -> Capabilities:
        """The workshop, its models with the seconds that are known of them."""
        for name, model in workshop.models.items():
            if model.seconds_per_image is not None:
                self._announced[name] = model.seconds_per_image
        models = with_earlier_seconds(workshop.models, self._announced, await self._read_pictures())
        return replace(workshop, models=models)

    async def _read_pictures(self) -> dict[str, list[MeasuredPicture]]:
        async with self._reading:
            if self._pictures is None:
                found: dict[str, list[MeasuredPicture]] = {}
                for picture in await self._ledger.read(newest_pictures):
                    found.setdefault(picture.pixels.model, []).append(picture)
                self._pictures = found
            return self._pictures
