from pathlib import Path

from agents.shared.settings import Settings
from agents.shared.supervisor.supervise import environment_of
from bus.connection import Address

ADDRESS = Address("nats://127.0.0.1:4222", "qa", "s/cret")


def test_an_agent_gets_its_own_login_and_the_flags_of_the_workshop(tmp_path: Path):
    settings = Settings(home=tmp_path, stand_in="pocket")
    environment = environment_of("storage", settings, ADDRESS, {"PATH": "/bin", "BOTTEGA_NATS_URL": "nats://elsewhere"})
    assert environment == {
        "PATH": "/bin",
        "BOTTEGA_HOME": str(tmp_path),
        "BOTTEGA_NATS_URL": "nats://qa:s%2Fcret@127.0.0.1:4222",
        "BOTTEGA_STAND_IN": "pocket",
    }
    assert Address.parse(environment["BOTTEGA_NATS_URL"]) == ADDRESS


def test_qa_judges_on_one_thread_unless_a_person_says_otherwise(tmp_path: Path):
    settings = Settings(home=tmp_path)
    assert environment_of("qa", settings, ADDRESS, {})["OMP_NUM_THREADS"] == "1"
    assert environment_of("qa", settings, ADDRESS, {"OMP_NUM_THREADS": "4"})["OMP_NUM_THREADS"] == "4"
    assert "OMP_NUM_THREADS" not in environment_of("generator", settings, ADDRESS, {})
