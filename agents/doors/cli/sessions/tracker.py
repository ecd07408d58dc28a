"""A session while it is driven: what the planner says of each picture becomes files in the output folder and the
log."""

import asyncio
import shlex
import time
from contextlib import AbstractContextManager
from pathlib import Path

from msgspec.structs import replace

from agents.doors.cli.copies import copy_to_folder, pictures_kept, report_unwritable
from agents.doors.cli.sessions.log import (
    JobEntry,
    JobStatus,
    SessionLog,
    SessionStore,
    format_time,
    job_of,
    with_jobs,
)
from protocol.plans import Cost
from protocol.results import Image

ENDED_STATUSES: frozenset[JobStatus] = frozenset({"completed", "failed", "cancelled"})


class SessionTracker:
    """Holds the log of one session and keeps its file true: a file is handed over before the log says so."""

    def __init__(self, sessions: SessionStore, log: SessionLog) -> None:
        self._sessions = sessions
        self.log = log
        self._jobs: dict[int, JobEntry] = {int(job.id) - 1: job for job in log.jobs}
        self._costs: dict[int, float | None] = {}
        self._started = time.monotonic()
        self._ended_before = sum(job.status in ENDED_STATUSES for job in log.jobs)

    @property
    def seconds(self) -> float:
        """Since this process began to drive the session."""
        return time.monotonic() - self._started

    @property
    def ended_now(self) -> int:
        """Jobs that ended since then."""
        return sum(job.status in ENDED_STATUSES for job in self.log.jobs) - self._ended_before

    def job(self, index: int) -> JobEntry | None:
        return self._jobs.get(index)

    async def update_jobs(self, images: list[Image]) -> None:
        """Take over what the planner says of pictures, hand out new files, and write the log if something changed."""
        now = format_time(time.time())
        changed = False
        for image in images:
            before = self._jobs.get(image.index)
            output = before.output if before else None
            known = before and (before.image_id, before.attempts) == (image.id, image.attempts)
            if image.status == "completed" and (output is None or not known):
                with self._report_unwritable(image.path):
                    output = await asyncio.to_thread(self._copy_to_output, image.path)
            job = job_of(image, before, now, output)
            changed |= job != before
            self._jobs[image.index] = job
            self._costs[image.index] = image.cost.amount if image.cost else None
        if changed:
            await self.write()

    async def update_head(self, **changes: object) -> None:
        """Change the head of the log and write it."""
        self.log = replace(self.log, **changes)
        await self.write()

    async def write(self) -> None:
        jobs = [self._jobs[index] for index in sorted(self._jobs)]
        self.log = with_jobs(self.log, jobs)
        with self._report_unwritable():
            await asyncio.to_thread(self._sessions.save, self.log)

    @property
    def cost(self) -> Cost | None:
        """What the pictures say that they cost; null where none does."""
        costs = [one for one in self._costs.values() if one is not None]
        return Cost(amount=round(sum(costs), 6)) if costs else None

    def _report_unwritable(self, path: str | None = None) -> AbstractContextManager[None]:
        """What ends the session where its folder has no room; `path` is a picture in the workshop's store. What was not
        copied is when the session goes on."""
        folder, batch = self._sessions.output, self.log.hash
        again = f"bottega batch resume {self.log.session_id} --output {shlex.quote(str(folder))}"
        return report_unwritable(
            folder,
            kept=pictures_kept(batch, [path]) if batch else None,
            again=f"name another place; then go on with: {again}" if batch else "name another place",
        )

    def _copy_to_output(self, path: str | None) -> str | None:
        """The file's copy at the same place below the output folder as below its batch's own."""
        if path is None or self.log.hash is None:
            return path
        parts = Path(path).parts
        if self.log.hash not in parts:
            return path
        below = parts[parts.index(self.log.hash) + 1 : -1]
        return copy_to_folder(path, self._sessions.output.joinpath(*below))
