"""A ledger of its own for each test, on each database."""

import random
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.planner.workbench import World, new_engine


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """The migrated ledger."""
    engine = new_engine(database)
    yield engine
    engine.dispose()


@pytest.fixture
def world(engine: Engine) -> World:
    """Everything around the planner, with nothing lost."""
    return World(engine=engine, dice=random.Random(1))
