"""What the workshop must do, row by row, with the tests that show it: a manifest that is checked both ways.

Every test that a row names is there, and every file of tests that drives a whole workshop is named by a row
(`tests/test_requirements.py`). `tests/REQUIREMENTS.md` is the same for reading: `python -m tests.requirements --write`.
"""

from tests.requirements.agents import AGENTS
from tests.requirements.beyond import BEYOND
from tests.requirements.deployment import DEPLOYMENT
from tests.requirements.interfaces import INTERFACES
from tests.requirements.models import MODELS
from tests.requirements.prompts import PROMPTS
from tests.requirements.protocol import PROTOCOL
from tests.requirements.providers import PROVIDERS
from tests.requirements.quality import QUALITY
from tests.requirements.requirement import Requirement
from tests.requirements.sessions import SESSIONS
from tests.requirements.storage import STORAGE

SECTIONS: dict[str, str] = {
    "P": "Protocol",
    "A": "Agents",
    "M": "Models and platforms",
    "R": "Prompts",
    "Q": "Quality",
    "S": "Storage and assets",
    "L": "Providers, cost and attempts",
    "B": "Batch sessions",
    "U": "Interfaces",
    "D": "Deployment",
    "X": "Beyond the usual",
}
"""First letter of an id -> what the rows under it are about, in their order."""

REQUIREMENTS: tuple[Requirement, ...] = (
    *PROTOCOL,
    *AGENTS,
    *MODELS,
    *PROMPTS,
    *QUALITY,
    *STORAGE,
    *PROVIDERS,
    *SESSIONS,
    *INTERFACES,
    *DEPLOYMENT,
    *BEYOND,
)
"""All rows, in the order of their sections and numbers."""

__all__ = ["REQUIREMENTS", "SECTIONS", "Requirement"]
