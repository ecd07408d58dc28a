"""A picture made again by the workshop of this home, which has its models loaded."""

import hashlib

from agents.doors.cli.errors import Failure
from agents.doors.cli.workshop.connection import connect_operator
from agents.shared.settings import Settings
from agents.shared.supervisor.address import find_workshop
from protocol.errors import AcpError
from protocol.messages import Job
from protocol.reuse import RemakePicture

MAX_WAIT_S = 600.0
"""Longest wait for a generator, which may have to load a model, and has other pictures in hand."""


def has_warm_workshop(settings: Settings) -> bool:
    """Whether a workshop runs in this home whose operator may ask its generator."""
    return settings.nats_url is None and find_workshop(settings.address_file) is not None


async def is_remade(settings: Settings, job: Job, device: str, filed: bytes) -> bool:
    """Whether the running workshop makes exactly these bytes of a job. False also where it cannot make the picture, or
    makes another one: it may have another device or another number of threads than made it."""
    try:
        async with connect_operator(settings) as operator:
            made = await operator.remake(RemakePicture(job=job, device=device), MAX_WAIT_S)
    except (AcpError, Failure):
        return False
    return made.blob == hashlib.sha256(filed).hexdigest()
