"""`bottega agent ROLE`: the one place where an agent, the settings and the bus are put together."""

import asyncio
import importlib

from agents.cli.configuration import configured
from agents.cli.failure import nothing_there
from agents.settings import Settings
from agents.supervisor.address import running_workshop
from agents.supervisor.lifeline import hold_lifeline
from bus import credentials
from bus.connection import Address
from bus.runner import RunnerOptions, serve
from bus.telemetry import configure_logging
from protocol.messages import Role

GRACE_S = 5.0
"""Beyond the drain: then a process whose supervisor is gone is ended the hard way."""


def run(role: Role, lifeline: bool) -> None:
    """Run one agent until SIGTERM, SIGINT or Drain; on a lifeline, also until its supervisor is gone.

    Raises:
        Failure: there is no workshop to join.
        AcpError: the broker does not answer, or the agent cannot be built.
    """
    settings = configured()
    if lifeline:
        hold_lifeline(settings.drain_s + GRACE_S)
    address = address_of(role, settings)
    configure_logging(role, settings.log_level)
    agent = importlib.import_module(f"agents.{role}.agent").build(settings)
    options = RunnerOptions(
        ack_wait_s=settings.ack_wait_s, drain_s=settings.drain_s, presence_ttl_s=settings.presence_ttl_s
    )
    asyncio.run(serve(agent, address, options))


def address_of(role: Role, settings: Settings) -> Address:
    """The role's own login: in the URL of the settings, else as the running workshop of this home keeps it.

    Raises:
        Failure: neither is there.
    """
    if settings.nats_url is not None:
        return Address.parse(settings.nats_url)
    kept = credentials.read(settings.nats_folder)
    if kept is None or running_workshop(settings.address_file) is None:
        raise nothing_there(
            f"no workshop runs in {settings.home} that a {role} agent could join",
            hint="start one: bottega up; or point BOTTEGA_NATS_URL to a server",
        )
    return kept.address(role)
