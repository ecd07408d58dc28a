"""A home of its own for each test, as the command line's tests have it."""

from tests.doors.cli.conftest import home as home
