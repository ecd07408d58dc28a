"""The ledger remembers what pictures took: those of the newest batches, and of a large batch a few."""

import random

from sqlalchemy import Engine

from agents.planner.ledger.measured_pictures import MAX_PICTURES, newest_pictures
from tests.planner.workbench import World, new_batch


def test_the_newest_batches_tell_what_their_pictures_took(engine: Engine) -> None:
    world = World(engine=engine, dice=random.Random(1))
    for name, quantity in (("gen_large", MAX_PICTURES + 2), ("gen_small", 1)):
        world.start(new_batch(quantity, name=name))
        world.run(name)
    world.start(new_batch(1, name="gen_not_made_yet"))
    found = world.transact(newest_pictures)
    assert len(found) == MAX_PICTURES + 1
    assert {(picture.pixels.model, picture.seconds) for picture in found} == {("pocket", 1.0)}
