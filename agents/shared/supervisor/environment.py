"""The variables that each process of a workshop gets: those that it needs, and no others, so that a key that a person
has in his shell lies in no process that has no use for it. Pure module."""

import re
from collections.abc import Mapping

from bus.connection import Address
from protocol.messages import Role

_SYSTEM = r"PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|XDG_\w+|LD_LIBRARY_PATH|SSL_CERT_\w+"
_PYTHON = r"VIRTUAL_ENV|PYTHON\w+"
_TRACES = r"OTEL_\w+"
_SETTINGS = r"BOTTEGA_\w+"
_COMPUTING = (
    r"(OMP|KMP|MKL|OPENBLAS|NUMEXPR|CUDA|NVIDIA|HIP|ROCR|HSA|ROCM|TORCH|TORCHINDUCTOR|PYTORCH|TRITON|NCCL|GOMP)_\w+"
    r"|HF_HOME|HF_HUB_CACHE|HF_HUB_OFFLINE|TRANSFORMERS_OFFLINE|DIFFUSERS_\w+"
)

_OF_ALL = re.compile("|".join((_SYSTEM, _PYTHON, _TRACES, _SETTINGS, _COMPUTING)))

SECRET_SETTINGS: Mapping[str, frozenset[Role]] = {
    "BOTTEGA_HUB_TOKEN": frozenset(),
    "BOTTEGA_PROVIDER_KEYS": frozenset({"generator"}),
    "BOTTEGA_LEDGER_URL": frozenset({"planner"}),
    "BOTTEGA_CATALOGUE_URL": frozenset({"storage"}),
    "BOTTEGA_NATS_URL": frozenset(),  # each gets one of its own
}
"""Settings that may hold a key or a password, and the roles that need them."""

_FOR_ROLES = (
    (re.compile(r"PG\w+"), frozenset[Role]({"planner", "storage"})),  # libpq's, such as PGPASSFILE
    (re.compile(r"(http|https|no|all)_proxy", re.IGNORECASE), frozenset[Role]({"generator"})),
)


def environment_of(
    role: Role, home: str, stand_in: str | None, address: Address, inherited: Mapping[str, str]
) -> dict[str, str]:
    """The environment of an agent: what it needs of the workshop's, the settings that flags changed, and its own login.
    QA judges on one thread unless a person chose otherwise, so that it does not slow down a generator on the CPU."""
    environment = {name: value for name, value in inherited.items() if is_passed_on(name, role)}
    environment |= {"BOTTEGA_HOME": home, "BOTTEGA_NATS_URL": address.url_with_credentials}
    if stand_in is not None:
        environment["BOTTEGA_STAND_IN"] = stand_in
    if role == "qa":
        environment.setdefault("OMP_NUM_THREADS", "1")
    return environment


def is_passed_on(name: str, role: Role) -> bool:
    """Whether an agent gets a variable of the process that starts it."""
    setting = name.upper()  # settings are read in any case
    if setting in SECRET_SETTINGS:
        return role in SECRET_SETTINGS[setting]
    for pattern, roles in _FOR_ROLES:
        if pattern.fullmatch(name):
            return role in roles
    return _OF_ALL.fullmatch(setting if setting.startswith("BOTTEGA_") else name) is not None
