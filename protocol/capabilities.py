"""What a workshop can do right now, as its clients see it. Pure module."""

from msgspec import Struct

from protocol.plans import Size


class ProcessInfo(Struct, frozen=True, kw_only=True):
    """A live process."""

    role: str
    instance: str
    pid: int
    host: str
    version: str
    slots: int
    busy: int


class ModelSummary(Struct, frozen=True, kw_only=True):
    """A model that is known, and whether it can be used now."""

    name: str
    platform: str
    installed: bool
    native_size: Size
    steps: int
    guidance: float
    sampler: str
    install: str | None = None
    licence: str | None = None


class CapabilitiesBody(Struct, frozen=True, kw_only=True):
    """What can be asked for right now."""

    processes: list[ProcessInfo]
    models: list[ModelSummary]
    loras: list[str]
    samplers: list[str]
    styles: list[str]
    style_references: list[str]
    stand_in: str | None
    max_quantity: int
    not_supported: list[str]


class CapabilityReport(Struct, frozen=True, kw_only=True):
    """`{"capabilities": {…}}`."""

    capabilities: CapabilitiesBody
