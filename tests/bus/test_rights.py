"""The rights of every login are the ones written down here, and what the agents read and answer lies within them."""

from pathlib import Path

import pytest

from agents.generator.agent import build as build_generator
from agents.planner.agent import build as build_planner
from agents.prompt.agent import build as build_prompt
from agents.qa.agent import build as build_qa
from agents.shared.settings import Settings
from agents.storage.agent import build as build_storage
from bus.accounts import LOGINS, login_of, may_answer
from bus.consumers import refuse_foreign
from bus.service import QUEUE_GROUP
from protocol.asyncapi import COMMAND_QUEUE
from protocol.channel import Channel
from protocol.channels import ACP_EVENTS, ACP_WORK, CHANNELS, PRESENCE_STREAM
from protocol.consumers import PutConsumer
from protocol.errors import BadMessage
from protocol.messages import ROLES, Role
from protocol.subjects import subject_matches

FIND_SERVICES = {f"$SRV.{verb}{rest}" for verb in ("PING", "INFO", "STATS") for rest in ("", ".>")}
ANSWERS = {"_R_.>", "_INBOX.>"}

PUBLISH: dict[str, set[str]] = {
    "admin": {
        ">",
    },
    "planner": {
        *ANSWERS,
        "$JS.ACK.*.*.ACP_EVENTS.planner.>",
        "$JS.ACK.ACP_EVENTS.planner.>",
        "$JS.API.CONSUMER.MSG.NEXT.ACP_EVENTS.planner",
        "$JS.API.DIRECT.GET.KV_acp_presence",
        "$KV.acp_presence.planner.>",
        "acp.api.CONSUMER.INFO.ACP_EVENTS.planner",
        "acp.api.STREAM.INFO.KV_acp_presence",
        "acp.api.STREAM.PURGE.ACP_WORK",
        "acp.v1.consumer.planner",
        "acp.v1.control.*",
        "acp.v1.dead.planner",
        "acp.v1.draft",
        "acp.v1.status.>",
        "acp.v1.stored",
        "acp.v1.work.generate.>",
        "acp.v1.work.prompt.>",
        "acp.v1.work.qa.>",
        "acp.v1.work.storage.>",
    },
    "prompt": {
        *ANSWERS,
        "$JS.ACK.*.*.ACP_WORK.prompt.>",
        "$JS.ACK.ACP_WORK.prompt.>",
        "$JS.API.CONSUMER.MSG.NEXT.ACP_WORK.prompt",
        "$KV.acp_presence.prompt.>",
        "acp.api.CONSUMER.INFO.ACP_WORK.prompt",
        "acp.v1.consumer.prompt",
        "acp.v1.dead.prompt",
        "acp.v1.event.*.*.prompts_failed",
        "acp.v1.event.*.*.prompts_written",
    },
    "generator": {
        *ANSWERS,
        "$JS.ACK.*.*.ACP_WORK.*.>",
        "$JS.ACK.ACP_WORK.*.>",
        "$JS.API.CONSUMER.MSG.NEXT.ACP_WORK.*",
        "$KV.acp_presence.generator.>",
        "acp.api.CONSUMER.INFO.ACP_WORK.*",
        "acp.v1.consumer.generator",
        "acp.v1.dead.generator",
        "acp.v1.event.*.*.cancelled",
        "acp.v1.event.*.*.failed",
        "acp.v1.event.*.*.generated",
        "acp.v1.ledger.*",
        "acp.v1.progress.>",
        "acp.v1.work.qa.>",
    },
    "qa": {
        *ANSWERS,
        "$JS.ACK.*.*.ACP_WORK.qa.>",
        "$JS.ACK.ACP_WORK.qa.>",
        "$JS.API.CONSUMER.MSG.NEXT.ACP_WORK.qa",
        "$JS.API.DIRECT.GET.ACP_EVENTS",
        "$KV.acp_presence.qa.>",
        "acp.api.CONSUMER.INFO.ACP_WORK.qa",
        "acp.api.STREAM.INFO.ACP_EVENTS",
        "acp.v1.consumer.qa",
        "acp.v1.dead.qa",
        "acp.v1.event.*.*.failed",
        "acp.v1.event.*.*.scored",
        "acp.v1.work.storage.>",
    },
    "storage": {
        *ANSWERS,
        "$JS.ACK.*.*.ACP_WORK.storage.>",
        "$JS.ACK.ACP_WORK.storage.>",
        "$JS.API.CONSUMER.MSG.NEXT.ACP_WORK.storage",
        "$KV.acp_presence.storage.>",
        "acp.api.CONSUMER.INFO.ACP_WORK.storage",
        "acp.v1.consumer.storage",
        "acp.v1.dead.storage",
        "acp.v1.event.*.*.contact_sheet",
        "acp.v1.event.*.*.failed",
        "acp.v1.event.*.*.stored",
    },
    "operator": {
        *FIND_SERVICES,
        "$JS.API.DIRECT.GET.ACP_DEAD",
        "$JS.API.DIRECT.GET.KV_acp_presence",
        "acp.api.STREAM.INFO.ACP_DEAD",
        "acp.api.STREAM.INFO.KV_acp_presence",
        "acp.api.STREAM.MSG.DELETE.ACP_DEAD",
        "acp.v1.command.*",
        "acp.v1.event.>",
        "acp.v1.operator",
        "acp.v1.remake",
        "acp.v1.work.>",
    },
    "gateway": {
        *FIND_SERVICES,
        "acp.v1.command.*",
    },
    "client_a": {
        *FIND_SERVICES,
        "acp.v1.command.a",
    },
}

SUBSCRIBE: dict[str, set[str]] = {
    "admin": {">"},
    "planner": {
        "$KV.acp_presence.*.>",
        "$SRV.>",
        "_INBOX.>",
        "acp.v1.command.*",
        "acp.v1.control.planner",
        "acp.v1.ledger.*",
        "acp.v1.operator",
    },
    "prompt": {"$SRV.>", "_INBOX.>", "acp.v1.control.prompt", "acp.v1.draft"},
    "generator": {"$SRV.>", "_INBOX.>", "acp.v1.control.generator", "acp.v1.remake"},
    "qa": {"$SRV.>", "_INBOX.>", "acp.v1.control.qa", "acp.v1.event.*.*.scored"},
    "storage": {"$SRV.>", "_INBOX.>", "acp.v1.control.storage", "acp.v1.stored"},
    "operator": {"$KV.acp_presence.*.>", "_INBOX.>", "acp.v1.dead.*", "acp.v1.progress.>", "acp.v1.status.>"},
    "gateway": {"_INBOX.>", "acp.v1.progress.>", "acp.v1.status.>"},
    "client_a": {"_INBOX.>", "acp.v1.progress.a.>", "acp.v1.status.a.>"},
}

STREAMS: dict[str, set[str]] = {
    "planner": {f"$KV.acp_presence.{role}.>" for role in ROLES if role != "planner"} | {"acp.v1.control.planner"},
    **{role: {f"acp.v1.control.{role}"} for role in ROLES if role != "planner"},
    "operator": {
        *(f"$KV.acp_presence.{role}.>" for role in ROLES),
        *(f"acp.v1.dead.{role}" for role in ROLES),
        "acp.v1.progress.>",
        "acp.v1.status.>",
    },
    "gateway": {"acp.v1.progress.>", "acp.v1.status.>"},
    "client_a": {"acp.v1.progress.a.>", "acp.v1.status.a.>"},
}
"""What an account hears of others."""

DENY = {
    f"{right}{rest}"
    for name in ("prompt", "qa", "storage")
    for right, rest in (
        (f"acp.api.CONSUMER.INFO.ACP_WORK.{name}", ""),
        (f"$JS.API.CONSUMER.MSG.NEXT.ACP_WORK.{name}", ""),
        (f"$JS.ACK.ACP_WORK.{name}", ".>"),
        (f"$JS.ACK.*.*.ACP_WORK.{name}", ".>"),
    )
}
"""What the generator's wildcards must not cover: other roles' consumers of the work."""


@pytest.mark.parametrize("name", sorted(PUBLISH))
def test_a_login_has_the_rights_that_are_written_down_and_each_once(name: str) -> None:
    found = login_of(name)

    assert sorted(found.publish) == sorted(PUBLISH[name])
    assert sorted(found.subscribe) == sorted(SUBSCRIBE[name])
    assert sorted(found.deny) == (sorted(DENY) if name == "generator" else [])


def test_the_written_rights_speak_of_every_login() -> None:
    assert set(PUBLISH) == set(SUBSCRIBE) == {*LOGINS, "client_a"}


def test_there_is_no_login_of_an_unknown_name() -> None:
    with pytest.raises(KeyError):
        login_of("client")


@pytest.mark.parametrize("name", sorted(PUBLISH))
def test_an_account_imports_what_its_user_may_say_beyond_it_and_hear(name: str) -> None:
    found = login_of(name)
    own = {"_R_.>", "_INBOX.>", "$SRV.>", ">"}
    said_inside = {"acp.v1.control.*", "acp.v1.progress.>"}

    assert {one.local for one in found.services} == set(found.publish) - own - said_inside
    assert {one.subject for one in found.streams} == STREAMS.get(name, set())


def test_no_login_but_the_supervisors_may_make_a_consumer() -> None:
    for name in sorted({*LOGINS, "client_a"} - {"admin"}):
        assert not [
            right for right in login_of(name).publish if "CONSUMER.CREATE" in right or "CONSUMER.DURABLE" in right
        ]


@pytest.mark.parametrize(
    ("reply", "allowed"),
    [
        ("_INBOX.abc.1", True),
        ("_R_.abc.def", True),
        ("acp.v1.work.qa.batch.0.1", False),
        ("acp.v1.status.a.batch", False),
        ("$JS.API.STREAM.PURGE.ACP_WORK", False),
        ("_INBOXES.abc", False),
        ("", False),
    ],
)
def test_an_agent_answers_into_inboxes_alone(reply: str, allowed: bool) -> None:
    assert may_answer(reply) is allowed


@pytest.mark.parametrize(
    ("role", "stream", "durable", "filters", "allowed"),
    [
        ("qa", ACP_WORK, "qa", ["acp.v1.work.qa.>"], True),
        ("planner", ACP_EVENTS, "planner", ["acp.v1.event.>"], True),
        ("planner", ACP_EVENTS, "planner", ["acp.v1.event.*.*.stored"], True),
        ("generator", ACP_WORK, "generate_pocket", ["acp.v1.work.generate.pocket.>"], True),
        ("generator", ACP_WORK, "generate_", ["acp.v1.work.generate.pocket.>"], False),
        ("generator", ACP_WORK, "qa", ["acp.v1.work.generate.pocket.>"], False),
        ("generator", ACP_WORK, "generate_pocket", ["acp.v1.work.qa.>"], False),
        ("qa", ACP_WORK, "storage", ["acp.v1.work.qa.>"], False),
        ("qa", ACP_WORK, "qa", ["acp.v1.work.>"], False),
        ("qa", ACP_WORK, "qa", ["acp.v1.work.*.>"], False),
        ("qa", ACP_WORK, "qa", ["acp.v1.work.qa.>", "acp.v1.work.storage.>"], False),
        ("qa", ACP_WORK, "qa", [], False),
        ("qa", ACP_EVENTS, "qa", ["acp.v1.event.*.*.scored"], False),
        ("qa", ACP_WORK, "qa", ["acp.v1.work.qa.>\r\nPUB x 0\r\n"], False),
        ("qa", ACP_WORK, "qa", ["acp.v1.work.qa.a b"], False),
        ("generator", ACP_WORK, "generate_x\r\nPUB y 0", ["acp.v1.work.generate.x.>"], False),
        ("prompt", PRESENCE_STREAM, "prompt", ["$KV.acp_presence.>"], False),
    ],
)
def test_a_role_gets_consumers_of_its_own_name_over_what_it_receives(
    role: Role, stream: str, durable: str, filters: list[str], allowed: bool
) -> None:
    wanted = PutConsumer(stream=stream, durable=durable, filter_subjects=filters, ack_wait_s=30)
    if allowed:
        refuse_foreign(role, wanted)
    else:
        with pytest.raises(BadMessage):
            refuse_foreign(role, wanted)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), 1e9])
def test_a_consumer_without_a_sensible_ack_wait_is_refused(seconds: float) -> None:
    wanted = PutConsumer(stream=ACP_WORK, durable="qa", filter_subjects=["acp.v1.work.qa.>"], ack_wait_s=seconds)
    with pytest.raises(BadMessage):
        refuse_foreign("qa", wanted)


def test_what_an_agent_reads_watches_and_answers_lies_within_its_rights(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, generator="instant")
    builds = (build_planner, build_prompt, build_generator, build_qa, build_storage)
    agents = [build(settings) for build in builds]

    assert {agent.role for agent in agents} == set(ROLES)
    for agent in agents:
        login = LOGINS[agent.role]
        assert agent.intakes()
        for intake in agent.intakes():
            filters = list(intake.filter_subjects)
            refuse_foreign(
                agent.role,
                PutConsumer(stream=intake.stream, durable=intake.durable, filter_subjects=filters, ack_wait_s=30),
            )
            request = f"$JS.API.CONSUMER.MSG.NEXT.{intake.stream}.{intake.durable}"
            assert any(subject_matches(pattern, request) for pattern in login.publish), request
        assert {watch.filter_subject for watch in agent.watches()} <= set(login.subscribe)
        answered = {endpoint.subject for endpoint in agent.endpoints()}
        assert answered <= set(login.subscribe)
        assert answered == {
            channel.pattern for channel in CHANNELS if channel.reply and agent.role in channel.receivers
        }


@pytest.mark.parametrize("channel", [one for one in CHANNELS if one.reply], ids=lambda channel: channel.name)
def test_a_request_is_answered_by_those_who_receive_it_to_those_who_send_it(channel: Channel) -> None:
    assert channel.reply is not None
    assert channel.reply.senders == channel.receivers
    assert set(channel.senders) <= set(channel.reply.receivers)


def test_the_documented_queue_group_is_the_one_that_agents_join() -> None:
    assert COMMAND_QUEUE == QUEUE_GROUP
