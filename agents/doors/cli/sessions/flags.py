"""The flags of `bottega batch`."""

from pathlib import Path
from typing import Annotated

import typer

from agents.doors.cli.errors import report_failures
from agents.doors.cli.shared_flags import ClientFlag, StandInFlag, YesFlag
from agents.doors.cli.wording import SESSION, SINGLE

batch_app = typer.Typer(help="Sessions: catalogues of prompts times combos of reference pictures, logged job by job.")

Json = Annotated[bool, typer.Option("--json", help="Print the session log, or the dry run, and nothing else.")]
OutputFolder = Annotated[
    Path | None, typer.Option(help="Folder of the pictures and the session logs. Left out: Result_images of the home.")
]
SessionId = Annotated[str | None, typer.Argument(metavar="[SESSION]", help="A session id. Left out: the newest.")]
Wardrobe = Annotated[str | None, typer.Option(help="What is worn, such as zip-hoodie.")]
Quality = Annotated[
    str | None, typer.Option(help="1K, 2K, 4K, an aspect or WxH. Left out: the size that the model was trained on.")
]
Platform = Annotated[str | None, typer.Option(help="The family of models, such as pocket or sdxl.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the first picture.")]
Reuse = Annotated[
    bool, typer.Option("--reuse/--no-reuse", help="Return pictures that are there already, or make them again.")
]
MinScore = Annotated[float | None, typer.Option(help="Below this score, 0 to 1, a picture is made again.")]


@batch_app.command()
def start(
    catalogues: Annotated[str, typer.Option(help='Catalogues, parted by commas: "v3.2,v4.2".')],
    wardrobe: Wardrobe = None,
    ui_style: Annotated[str | None, typer.Option(help="The style of the interface, such as Orange.")] = None,
    combos: Annotated[str, typer.Option(help="Combos to keep, parted by commas; left out: all.")] = "",
    prompts: Annotated[str, typer.Option(help="Prompts to keep, whole or short ids; left out: all.")] = "",
    quality: Quality = None,
    number: Annotated[int, typer.Option("-n", "--number", help="Pictures of each prompt and combo.")] = 1,
    platform: Platform = None,
    style: Annotated[str | None, typer.Option(help="A style of the workshop.")] = None,
    seed: Seed = None,
    steps: Annotated[int | None, typer.Option(help="Denoising steps.")] = None,
    min_score: MinScore = None,
    reuse: Reuse = True,
    output: OutputFolder = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the jobs, time and cost; make nothing.")] = False,
    yes: YesFlag = False,
    stand_in: StandInFlag = None,
    client: ClientFlag = None,
    json: Json = False,
) -> None:
    """Run every prompt of some catalogues with every combo; without --wardrobe, --ui-style, --combos prompts alone."""
    with report_failures(json, SESSION):
        from agents.doors.cli.confirm import confirm_number
        from agents.doors.cli.sessions import run as sessions
        from agents.doors.cli.sessions.dry_run import dry_run as run_dry
        from agents.doors.cli.sessions.order import SessionOptions

        wanted = SessionOptions(
            catalogs=catalogues,
            wardrobe=wardrobe,
            ui_style=ui_style,
            combos=combos,
            prompts=prompts,
            quality=quality,
            number=number,
            platform=platform,
            style=style,
            seed=seed,
            steps=steps,
            min_score=min_score,
            reuse=reuse,
        )
        if dry_run:
            raise SystemExit(run_dry(wanted, stand_in, client, json))
        confirm_number(number, yes)
        raise SystemExit(sessions.start(wanted, sessions.SessionContext(output, stand_in, json, client)))


@batch_app.command()
def single(
    prompt: Annotated[str, typer.Option(help="catalog_v3.2/ZH01_unboxing_experience.md")],
    combo: Annotated[str, typer.Option(help="A combo, such as C-U-013.")] = "",
    wardrobe: Wardrobe = None,
    quality: Quality = None,
    platform: Platform = None,
    seed: Seed = None,
    min_score: MinScore = None,
    reuse: Reuse = True,
    output: OutputFolder = None,
    stand_in: StandInFlag = None,
    client: ClientFlag = None,
    json: Json = False,
) -> None:
    """Make the picture of one prompt and one combo, as a session of one job."""
    with report_failures(json, SINGLE):
        from agents.doors.cli.sessions import run as sessions
        from agents.doors.cli.sessions.order import SessionOptions, split_prompt_path

        catalogue, prompt_id = split_prompt_path(prompt)
        wanted = SessionOptions(
            catalogs=catalogue,
            wardrobe=wardrobe,
            combos=combo,
            prompts=prompt_id,
            quality=quality,
            platform=platform,
            seed=seed,
            min_score=min_score,
            reuse=reuse,
        )
        raise SystemExit(sessions.start(wanted, sessions.SessionContext(output, stand_in, json, client)))


@batch_app.command()
def resume(
    session: SessionId = None,
    output: OutputFolder = None,
    stand_in: StandInFlag = None,
    client: ClientFlag = None,
    json: Json = False,
) -> None:
    """Go on with a session that was interrupted, and try its failed jobs again."""
    with report_failures(json, SESSION):
        from agents.doors.cli.sessions import run as sessions

        raise SystemExit(sessions.resume(session, sessions.SessionContext(output, stand_in, json, client)))


@batch_app.command()
def retry(
    session: SessionId = None,
    job: Annotated[str | None, typer.Option(help="One failed job, such as 015. Left out: all that failed.")] = None,
    output: OutputFolder = None,
    stand_in: StandInFlag = None,
    client: ClientFlag = None,
    json: Json = False,
) -> None:
    """Try failed jobs of a session again."""
    with report_failures(json, SESSION):
        from agents.doors.cli.sessions import run as sessions

        raise SystemExit(sessions.retry(session, job, sessions.SessionContext(output, stand_in, json, client)))


@batch_app.command()
def status(
    session: SessionId = None, output: OutputFolder = None, client: ClientFlag = None, json: Json = False
) -> None:
    """Where a session stands."""
    with report_failures(json, SESSION):
        from agents.doors.cli.sessions import run as sessions

        raise SystemExit(sessions.status(session, sessions.SessionContext(output, None, json, client)))


@batch_app.command("list")
def list_sessions(
    number: Annotated[int, typer.Option("-n", "--number", min=1, help="How many sessions, newest first.")] = 20,
    output: Annotated[
        Path | None, typer.Option(help="Those of one output folder. Left out: all that this home knows.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """The sessions of this home, wherever their output lies, newest first."""
    with report_failures(json, SESSION):
        from agents.doors.cli.sessions.listing import list_sessions as run

        run(number, output, json)


@batch_app.command()
def upgrade(
    session: SessionId = None,
    to_quality: Annotated[str, typer.Option(help="2K, 4K, or WxH.")] = "4K",
    output: OutputFolder = None,
    stand_in: StandInFlag = None,
    client: ClientFlag = None,
    json: Json = False,
) -> None:
    """Make the completed pictures of a session again at a higher quality, as a session of its own."""
    with report_failures(json, {**SESSION, "resolution": "--to-quality"}):
        from agents.doors.cli.sessions import run as sessions

        raise SystemExit(sessions.upgrade(session, to_quality, sessions.SessionContext(output, stand_in, json, client)))
