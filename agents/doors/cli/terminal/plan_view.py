"""A plan as a person reads it."""

from msgspec import UNSET
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agents.doors.cli.amounts import format_moment, format_money
from agents.doors.cli.errors import BAD_INPUT, Failure
from protocol.counts import format_count
from protocol.errors import ErrorBody
from protocol.plans import GenerationPlan, PlanBody, Stage

MAX_SWEPT = 6
"""Values of a swept field that are shown."""


def refusal_of(plan: PlanBody) -> Failure | None:
    """Why a plan was refused, and what would work; null when it was not."""
    if plan.state != "refused":
        return None
    said = plan.refusal or ErrorBody(code="internal", message="the plan was refused without a reason")
    return Failure(said, BAD_INPUT, plan.alternatives)


def headline(plan: GenerationPlan) -> str:
    """`pocket · 64×64 · 20 steps · gen_batch_…`: what makes the pictures, in one line."""
    body = plan.generation_plan
    parts = [_format_models(body)]
    size = body.stages[-1].size if body.stages else body.size
    if size:
        parts.append(f"{size.width}×{size.height}")
    if body.steps and "steps" not in _swept(body):
        parts.append(format_count(body.steps, "step"))
    parts += _format_sweep(body)
    if body.estimated_seconds:
        parts.append(f"about {format_duration(body.estimated_seconds)}")
    if plan.hash:
        parts.append(plan.hash)
    return " · ".join(parts)


def format_duration(seconds: float) -> str:
    """`3.2 s`, `4 min 10 s`, `2 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def format_cost(plan: PlanBody) -> str:
    """`0.0123 USD`, or why that is not known."""
    if plan.estimated_cost:
        return format_money(plan.estimated_cost.amount)
    return "not measured yet" if plan.unknown_cost == "not_measured" else "not priced"


def show_plan(console: Console, plan: GenerationPlan) -> None:
    """Every line of a plan that says something, its first prompts, and how to approve it."""
    body = plan.generation_plan
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    for name, value in _plan_lines(body):
        table.add_row(name, escape(value))
    console.print(table)
    for index, prompt in enumerate(body.prompts):
        console.print(f"  {index + 1}. {prompt}", markup=False, highlight=False)
    if body.quantity > len(body.prompts) > 0:
        console.print(f"  … {body.quantity - len(body.prompts)} more", style="dim")
    if body.approval and plan.hash:
        console.print(f"\nTo make it, until {format_moment(body.expires or '')}:", highlight=False)
        console.print(f"  bottega approve {plan.hash} {body.approval}", markup=False, highlight=False, soft_wrap=True)


def _plan_lines(body: PlanBody) -> list[tuple[str, str]]:
    swept = _swept(body)
    candidates: list[tuple[str, str | None]] = [
        ("state", body.state),
        ("pictures", str(body.quantity)),
        ("made by", _format_models(body)),
        ("LoRA", ", ".join(f"{lora.name} {lora.weight:g}" for lora in body.loras) if body.loras else None),
        ("provider", body.provider),
        ("size", f"{body.size.width}×{body.size.height}" if body.size else None),
        ("steps", str(body.steps) if body.steps is not None else None),
        ("guidance", f"{body.guidance:g}" if body.guidance is not None else None),
        ("sampler", body.sampler),
        ("engine", body.engine),
        *((f"{place + 1}.", _format_stage(stage)) for place, stage in enumerate(body.stages)),
        ("min score", f"{body.min_score:g}" if body.min_score is not None else None),
        ("attempts", f"at most {body.max_attempts} each" if body.max_attempts else None),
        ("time", format_duration(body.estimated_seconds) if body.estimated_seconds else "not measured yet"),
        ("cost", format_cost(body)),
        ("hold", _format_reserved(body)),
    ]
    notes = [("note", text) for text in body.warnings] + [("not honoured", text) for text in body.not_honoured]
    tried = [("sweep", text) for text in _format_sweep(body)]
    return [(name, value) for name, value in candidates if value and name not in swept] + tried + notes


def _swept(body: PlanBody) -> set[str]:
    """Lines of a plan whose value differs between its pictures."""
    return {"size" if name == "resolution" else name for name in body.sweep.values} if body.sweep else set()


def _format_sweep(body: PlanBody) -> list[str]:
    """`steps 10, 30`: the values that are tried, by field."""
    fields = body.sweep.values.items() if body.sweep else ()
    return [
        f"{name} {', '.join(map(str, values[:MAX_SWEPT]))}{' …' if len(values) > MAX_SWEPT else ''}"
        for name, values in fields
    ]


def _format_reserved(plan: PlanBody) -> str | None:
    if plan.reserved_cost is UNSET:
        return None
    return f"at most {format_money(plan.reserved_cost.amount)} while it runs; what is not needed is given back"


def _format_stage(stage: Stage) -> str:
    """`upscale 4x, 512×512, pipeline`: what a stage does, what it ends in, and whether its calls are shared."""
    parts = [f"{stage.op} {stage.model or ''}".strip(), f"{stage.size.width}×{stage.size.height}", stage.engine or ""]
    parts += [format_count(stage.steps, "step")] if stage.steps else []
    parts += [f"about {format_duration(stage.seconds)}"] if stage.seconds else []
    return ", ".join(part for part in parts if part)


def _format_models(body: PlanBody) -> str:
    asked = ", ".join(body.models) or body.platform or "the default model"
    if body.stand_in:
        return f"{body.stand_in}, standing in for {asked}"
    return f"{body.platform}: {asked}" if body.platform and asked != body.platform else asked
