"""Asks storage which pictures exist already. Not knowing costs no more than a picture, so nothing waits long for it."""

from collections.abc import Sequence

import structlog

from agents.planner.scheduling.reuse import digests
from bus.agent import Outlet
from protocol.errors import AcpError
from protocol.messages import Job
from protocol.reuse import FindStored, StoredPicture

log = structlog.get_logger()


async def look_up_stored(outlet: Outlet, jobs: Sequence[Job]) -> dict[int, StoredPicture]:
    """The stored pictures that are the same as those of a batch's jobs, by index; none where storage is silent."""
    presences = await outlet.presences()
    sought = digests(jobs, presences)
    if not sought or all(presence.role != "storage" for presence in presences):
        return {}
    question = FindStored(client_id=jobs[0].client_id, digests=sorted(set(sought.values())))
    try:
        answer = await outlet.find_stored(question)
    except AcpError as error:
        log.warning("pictures are made without a look at what is stored", batch=jobs[0].hash, error=str(error))
        return {}
    found = {picture.digest: picture for picture in answer.found}
    return {index: found[digest] for index, digest in sought.items() if digest in found}
