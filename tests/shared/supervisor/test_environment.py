"""What each process of a workshop gets of the variables of the shell that started it."""

import pytest

from agents.shared.supervisor.environment import environment_of, is_passed_on
from bus.connection import Address
from protocol.messages import ROLES, Role

ADDRESS = Address("nats://127.0.0.1:4222", "qa", "s/cret")


def test_an_agent_gets_its_own_login_and_the_flags_of_the_workshop():
    inherited = {"PATH": "/bin", "BOTTEGA_NATS_URL": "nats://elsewhere"}
    environment = environment_of("storage", "/home/b", "pocket", ADDRESS, inherited)
    assert environment == {
        "PATH": "/bin",
        "BOTTEGA_HOME": "/home/b",
        "BOTTEGA_NATS_URL": "nats://qa:s%2Fcret@127.0.0.1:4222",
        "BOTTEGA_STAND_IN": "pocket",
    }
    assert Address.parse(environment["BOTTEGA_NATS_URL"]) == ADDRESS


def test_qa_judges_on_one_thread_unless_a_person_says_otherwise():
    assert environment_of("qa", "/b", None, ADDRESS, {})["OMP_NUM_THREADS"] == "1"
    assert environment_of("qa", "/b", None, ADDRESS, {"OMP_NUM_THREADS": "4"})["OMP_NUM_THREADS"] == "4"
    assert "OMP_NUM_THREADS" not in environment_of("generator", "/b", None, ADDRESS, {})


@pytest.mark.parametrize(
    ("name", "roles"),
    [
        ("PATH", ROLES),
        ("LC_ALL", ROLES),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", ROLES),
        ("BOTTEGA_WINDOW", ROLES),
        ("bottega_window", ROLES),
        ("CUDA_VISIBLE_DEVICES", ROLES),
        ("HF_HOME", ROLES),
        ("BOTTEGA_PROVIDER_KEYS", ("generator",)),
        ("bottega_provider_keys", ("generator",)),
        ("BOTTEGA_LEDGER_URL", ("planner",)),
        ("BOTTEGA_CATALOGUE_URL", ("storage",)),
        ("PGPASSWORD", ("planner", "storage")),
        ("https_proxy", ("generator",)),
        ("BOTTEGA_HUB_TOKEN", ()),
        ("BOTTEGA_NATS_URL", ()),
        ("HF_TOKEN", ()),
        ("OPENAI_API_KEY", ()),
        ("AWS_SECRET_ACCESS_KEY", ()),
        ("GITHUB_TOKEN", ()),
        ("SSH_AUTH_SOCK", ()),
        ("MY_PATH", ()),
    ],
)
def test_a_variable_reaches_the_roles_that_need_it(name: str, roles: tuple[Role, ...]):
    assert tuple(role for role in ROLES if is_passed_on(name, role)) == roles
