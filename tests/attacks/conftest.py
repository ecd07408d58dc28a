"""One workshop for the attacks that leave it as it is."""

from collections.abc import Generator

import pytest

from tests.doors.cli.conftest import ANSWER_S, Home, line_with


@pytest.fixture(scope="session")
def watched_workshop(tmp_path_factory: pytest.TempPathFactory) -> Generator[Home]:
    """A running workshop."""
    home = Home(tmp_path_factory.mktemp("watched"))
    with home.start("up") as up:
        line_with(up, "workshop ready at")
        yield home
        up.terminate()
        assert up.wait(timeout=ANSWER_S) == 0
