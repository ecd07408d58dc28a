"""The rights of every login are the ones written down here, and what the agents read and answer lies within them."""

from pathlib import Path

import pytest

from agents.generator.agent import build as build_generator
from agents.planner.agent import build as build_planner
from agents.prompt.agent import build as build_prompt
from agents.qa.agent import build as build_qa
from agents.shared.settings import Settings
from agents.storage.agent import build as build_storage
from bus.service import QUEUE_GROUP
from bus.topology import LOGINS, reply_prefixes
from protocol.asyncapi import COMMAND_QUEUE
from protocol.channels import CHANNELS, Channel
from protocol.messages import ROLES
from protocol.subjects import subject_matches

WATCH_EVENTS = {
    "$JS.API.STREAM.INFO.ACP_EVENTS",
    "$JS.API.CONSUMER.CREATE.ACP_EVENTS.*.acp.v1.event.>",
}
WATCH_PRESENCE = {
    "$JS.API.STREAM.INFO.KV_acp_presence",
    "$JS.API.CONSUMER.CREATE.KV_acp_presence.*.$KV.acp_presence.>",
}
EVERY_AGENT = {*WATCH_EVENTS, "acp.v1.progress.>", "_INBOX.>"}

PUBLISH: dict[str, set[str]] = {
    "admin": {">"},
    "planner": {
        *EVERY_AGENT,
        *WATCH_PRESENCE,
        "acp.v1.work.prompt.>",
        "acp.v1.work.generate.>",
        "acp.v1.work.qa.>",
        "acp.v1.work.storage.>",
        "acp.v1.event.>",
        "acp.v1.status.>",
        "acp.v1.control.*",
        "acp.v1.stored",
        "acp.v1.draft",
        "acp.v1.dead.planner",
        "_INBOX_generator.>",
        "_INBOX_operator.>",
        "$KV.acp_presence.planner.>",
        "$JS.API.STREAM.PURGE.ACP_WORK",
        "$JS.API.CONSUMER.CREATE.ACP_EVENTS.planner.acp.v1.event.>",
        "$JS.API.CONSUMER.INFO.ACP_EVENTS.planner",
        "$JS.API.CONSUMER.MSG.NEXT.ACP_EVENTS.planner",
        "$JS.ACK.ACP_EVENTS.planner.>",
        "$JS.ACK.*.*.ACP_EVENTS.planner.>",
    },
    "prompt": {
        *EVERY_AGENT,
        "acp.v1.event.*.*.prompts_written",
        "acp.v1.event.*.*.prompts_failed",
        "acp.v1.dead.prompt",
        "_INBOX_planner.>",
        "$KV.acp_presence.prompt.>",
        "$JS.API.CONSUMER.CREATE.ACP_WORK.prompt.acp.v1.work.prompt.>",
        "$JS.API.CONSUMER.INFO.ACP_WORK.prompt",
        "$JS.API.CONSUMER.MSG.NEXT.ACP_WORK.prompt",
        "$JS.ACK.ACP_WORK.prompt.>",
        "$JS.ACK.*.*.ACP_WORK.prompt.>",
    },
    "generator": {
        *EVERY_AGENT,
        "acp.v1.event.*.*.generated",
        "acp.v1.event.*.*.failed",
        "acp.v1.event.*.*.cancelled",
        "acp.v1.work.qa.>",
        "acp.v1.ledger.*",
        "acp.v1.dead.generator",
        "_INBOX_operator.>",
        "$KV.acp_presence.generator.>",
        "$JS.API.CONSUMER.CREATE.ACP_WORK.*.acp.v1.work.generate.>",
        "$JS.API.CONSUMER.INFO.ACP_WORK.*",
        "$JS.API.CONSUMER.MSG.NEXT.ACP_WORK.*",
        "$JS.ACK.ACP_WORK.*.>",
        "$JS.ACK.*.*.ACP_WORK.*.>",
    },
    "qa": {
        *EVERY_AGENT,
        "acp.v1.event.*.*.scored",
        "acp.v1.event.*.*.failed",
        "acp.v1.work.storage.>",
        "acp.v1.dead.qa",
        "$KV.acp_presence.qa.>",
        "$JS.API.CONSUMER.CREATE.ACP_WORK.qa.acp.v1.work.qa.>",
        "$JS.API.CONSUMER.INFO.ACP_WORK.qa",
        "$JS.API.CONSUMER.MSG.NEXT.ACP_WORK.qa",
        "$JS.ACK.ACP_WORK.qa.>",
        "$JS.ACK.*.*.ACP_WORK.qa.>",
    },
    "storage": {
        *EVERY_AGENT,
        "acp.v1.event.*.*.stored",
        "acp.v1.event.*.*.failed",
        "acp.v1.event.*.*.contact_sheet",
        "acp.v1.dead.storage",
        "_INBOX_planner.>",
        "$KV.acp_presence.storage.>",
        "$JS.API.CONSUMER.CREATE.ACP_WORK.storage.acp.v1.work.storage.>",
        "$JS.API.CONSUMER.INFO.ACP_WORK.storage",
        "$JS.API.CONSUMER.MSG.NEXT.ACP_WORK.storage",
        "$JS.ACK.ACP_WORK.storage.>",
        "$JS.ACK.*.*.ACP_WORK.storage.>",
    },
    "operator": {
        "acp.v1.operator",
        "acp.v1.remake",
        "acp.v1.work.>",
        "acp.v1.event.>",
        "$JS.API.STREAM.INFO.ACP_DEAD",
        "$JS.API.DIRECT.GET.ACP_DEAD",
        "$JS.API.STREAM.MSG.DELETE.ACP_DEAD",
    },
    "client": {
        *WATCH_EVENTS,
        *WATCH_PRESENCE,
        "acp.v1.command.*",
        "$SRV.>",
        "$JS.API.STREAM.INFO.ACP_STATUS",
        "$JS.API.CONSUMER.CREATE.ACP_STATUS.*.acp.v1.status.>",
        "$JS.API.DIRECT.GET.ACP_STATUS.>",
    },
}

SUBSCRIBE: dict[str, set[str]] = {
    "admin": {">"},
    "planner": {
        "_INBOX_planner.>",
        "acp.v1.control.planner",
        "$SRV.>",
        "acp.v1.command.*",
        "acp.v1.operator",
        "acp.v1.ledger.*",
    },
    "prompt": {"_INBOX_prompt.>", "acp.v1.control.prompt", "$SRV.>", "acp.v1.draft"},
    "generator": {"_INBOX_generator.>", "acp.v1.control.generator", "$SRV.>", "acp.v1.remake"},
    "qa": {"_INBOX_qa.>", "acp.v1.control.qa", "$SRV.>"},
    "storage": {"_INBOX_storage.>", "acp.v1.control.storage", "$SRV.>", "acp.v1.stored"},
    "operator": {"_INBOX_operator.>"},
    "client": {"_INBOX.>", "acp.v1.status.>", "acp.v1.progress.>", "acp.v1.event.>"},
}


@pytest.mark.parametrize("login", sorted(LOGINS))
def test_a_login_has_the_rights_that_are_written_down_and_each_once(login: str) -> None:
    found = LOGINS[login]

    assert sorted(found.publish) == sorted(PUBLISH[login])
    assert sorted(found.subscribe) == sorted(SUBSCRIBE[login])


def test_the_written_rights_speak_of_every_login() -> None:
    assert set(PUBLISH) == set(SUBSCRIBE) == set(LOGINS)


def test_what_an_agent_reads_watches_and_answers_lies_within_its_rights(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, generator="instant")
    builds = (build_planner, build_prompt, build_generator, build_qa, build_storage)
    agents = [build(settings) for build in builds]

    assert {agent.role for agent in agents} == set(ROLES)
    for agent in agents:
        login = LOGINS[agent.role]
        created = [(one.stream, one.durable, subject) for one in agent.intakes() for subject in one.filter_subjects]
        created += [("ACP_EVENTS", "view", watch.filter_subject) for watch in agent.watches()]

        assert created
        for stream, name, subject in created:
            request = f"$JS.API.CONSUMER.CREATE.{stream}.{name}.{subject}"
            assert any(subject_matches(pattern, request) for pattern in login.publish), request
        answered = {endpoint.subject for endpoint in agent.endpoints()}
        assert answered <= set(login.subscribe)
        assert answered == {
            channel.pattern for channel in CHANNELS if channel.reply and agent.role in channel.receivers
        }


@pytest.mark.parametrize("channel", [one for one in CHANNELS if one.reply], ids=lambda channel: channel.name)
def test_a_request_is_answered_into_the_inboxes_of_those_who_send_it(channel: Channel) -> None:
    assert channel.reply is not None
    assert channel.address is not None
    subject = channel.address.replace("{client}", "local")

    assert reply_prefixes(subject) == tuple(f"{LOGINS[sender].inbox_prefix}." for sender in channel.senders)
    assert channel.reply.senders == channel.receivers
    assert set(channel.senders) <= set(channel.reply.receivers)


def test_a_request_that_is_no_channel_is_answered_to_clients_alone() -> None:
    assert reply_prefixes("$SRV.PING") == ("_INBOX.",)


def test_the_documented_queue_group_is_the_one_that_agents_join() -> None:
    assert COMMAND_QUEUE == QUEUE_GROUP
