"""`bottega agent ROLE`: the one place where an agent, the settings and the bus are put together."""

import importlib

from agents.doors.cli.settings import load_settings, read_settings
from agents.doors.cli.workshop.login import login_address
from agents.shared.supervisor.stdin_lifeline import terminate_with_stdin
from bus import event_loop
from bus.runner import RunnerOptions, serve
from bus.telemetry import configure_logging
from protocol.messages import Role

GRACE_S = 5.0
"""Seconds beyond the drain after which a process whose supervisor is gone is ended by force."""


def run_agent(role: Role, lifeline: bool) -> None:
    """Run one agent until SIGTERM, SIGINT or Drain; on a lifeline, also until its supervisor is gone.

    Raises:
        Failure: there is no workshop to join.
        AcpError: the broker does not answer, or the agent cannot be built.
    """
    settings = read_settings() if lifeline else load_settings()  # `bottega up` has pointed out what is wrong
    if lifeline:
        terminate_with_stdin(settings.drain_s + GRACE_S)
    address = login_address(role, settings)
    configure_logging(role, settings.log_level)
    agent = importlib.import_module(f"agents.{role}.agent").build(settings)
    options = RunnerOptions(
        ack_wait_s=settings.ack_wait_s,
        drain_s=settings.drain_s,
        presence_ttl_s=settings.presence_ttl_s,
        dictionary=settings.dictionary,
    )
    event_loop.run(serve(agent, address, options))
