"""A ledger of its own for each test, on each database."""

import random
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.planner.steps import reachable_steps, record_steps, seen_steps
from tests.planner.workbench import World, new_engine


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """The migrated ledger. Whatever a test does in it, no row may take a step that is not legal."""
    engine = new_engine(database)
    record_steps(engine)
    yield engine
    illegal = {table: taken - reachable_steps(table) for table, taken in seen_steps(engine).items()}
    engine.dispose()
    assert illegal == {table: set() for table in illegal}


@pytest.fixture
def world(engine: Engine) -> World:
    """Everything around the planner, with nothing lost."""
    return World(engine=engine, dice=random.Random(1))
