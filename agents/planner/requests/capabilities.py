"""CAPABILITIES: what the workshop can do right now, from the processes that are alive."""

from collections.abc import Sequence

import msgspec

from agents.planner.planning.capabilities import Capabilities, merge_presences
from agents.planner.requests.handler import Handlers, RequestResources
from protocol import commands
from protocol.capabilities import CapabilitiesBody, CapabilityReport, ModelSummary, ProcessInfo
from protocol.commands import not_built_names
from protocol.messages import Presence
from protocol.parameters import MAX_QUANTITY
from protocol.plans import Size
from protocol.replies import Reply


async def capabilities(resources: RequestResources, command: commands.Capabilities, client: str) -> Reply:
    """What can be asked for now."""
    presences = await resources.outlet.presences()
    return capabilities_reply(presences, merge_presences(presences), resources.defaults.stand_in)


def capabilities_reply(presences: Sequence[Presence], workshop: Capabilities, stand_in: str | None) -> CapabilityReport:
    """What can be asked for now."""
    return CapabilityReport(
        capabilities=CapabilitiesBody(
            processes=[
                msgspec.convert(presence, ProcessInfo, from_attributes=True)
                for presence in sorted(presences, key=lambda presence: (presence.role, presence.instance))
            ],
            models=[
                ModelSummary(
                    name=model.name,
                    platform=model.platform,
                    installed=model.installed,
                    native_size=Size(width=model.native_sizes[0][0], height=model.native_sizes[0][1]),
                    steps=model.steps,
                    guidance=model.guidance,
                    sampler=model.sampler,
                    install=None if model.installed else model.install,
                    licence=model.licence,
                )
                for model in sorted(workshop.models.values(), key=lambda model: (-model.priority, model.name))
            ],
            loras=sorted(name for name, lora in workshop.loras.items() if lora.installed),
            samplers=list(workshop.samplers),
            styles=list(workshop.styles),
            style_references=list(workshop.style_references),
            stand_in=stand_in,
            max_quantity=MAX_QUANTITY,
            not_supported=not_built_names(),
        )
    )


HANDLERS: Handlers = {commands.Capabilities: capabilities}
