"""Databases at revisions of long ago."""

from collections.abc import Callable

import pytest
from alembic import command
from alembic.config import Config

from agents.planner.agent import MIGRATIONS
from agents.shared.database.engine import open_engine, version_table


@pytest.fixture
def at_revision() -> Callable[[str, str], None]:
    """`at_revision(url, revision)`: an empty ledger as an older version left it."""

    def made(url: str, revision: str) -> None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.set_main_option("path_separator", "os")
        engine = open_engine(url)
        with engine.begin() as connection:
            config.attributes.update(connection=connection, version_table=version_table(engine, MIGRATIONS))
            command.upgrade(config, revision)
        engine.dispose()

    return made
