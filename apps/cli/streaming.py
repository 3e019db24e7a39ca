"""`octroi topics`, `octroi stream` and `octroi worker`: the streaming mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli.failures import honest, say
from apps.cli.options import AsJson, Data
from apps.cli.output import print_json

if TYPE_CHECKING:
    from pathlib import Path

    from apps.workers.settings import StreamSettings
    from apps.workers.topics import Change

STAGES = ("decode", "resource", "account")

topics_app = typer.Typer(help="Topics of the streaming mode, declared in code.", no_args_is_help=True)
stream_app = typer.Typer(help="The streaming mode as a whole.", no_args_is_help=True)
worker_app = typer.Typer(help="Run a worker of the streaming mode until it is told to stop.", no_args_is_help=True)


class NoKafka(Exception):
    """The libraries of the streaming mode are not installed."""


def _settings(data: Path | None) -> StreamSettings:
    from apps.jit import prepare_cache

    prepare_cache()
    from apps.settings import load_settings
    from apps.workers.settings import StreamSettings

    try:
        import confluent_kafka  # noqa: F401
    except ImportError as error:
        raise NoKafka("the streaming mode needs more libraries: install octroi[kafka]") from error
    found = load_settings({} if data is None else {"data_dir": data}, StreamSettings)
    assert isinstance(found, StreamSettings)
    return found


def _show(changes: list[Change], done: str) -> None:
    for change in changes:
        typer.echo(f"{change.what:10} {change.topic.name:40} {change.words}")
    counted = f"{len(changes)} {'change' if len(changes) == 1 else 'changes'} {done}"
    typer.echo(counted if changes else "topics are as they should be")


def _as_dicts(changes: list[Change]) -> list[dict[str, str]]:
    return [{"topic": change.topic.name, "what": change.what, "words": change.words} for change in changes]


@topics_app.command("plan", epilog="Example: octroi topics plan")
@honest
def plan_topics(as_json: AsJson = False, data: Data = None) -> None:
    """Show what `topics apply` would change."""
    settings = _settings(data)
    from apps.workers.run import planned

    _, changes = planned(settings)
    print_json(_as_dicts(changes)) if as_json else _show(changes, "to apply")


@topics_app.command("apply", epilog="Example: octroi topics apply")
@honest
def apply_topics(as_json: AsJson = False, data: Data = None) -> None:
    """Make topics what they should be."""
    settings = _settings(data)
    from apps.workers.run import apply_topics as apply

    changes = apply(settings)
    print_json(_as_dicts(changes)) if as_json else _show(changes, "applied")


@stream_app.command("activate", epilog="Example: octroi stream activate")
@honest
def activate(as_json: AsJson = False, data: Data = None) -> None:
    """Put the catalog of the data directory into force for all workers."""
    settings = _settings(data)
    from apps.workers.run import activate as put

    number, changes = put(settings)
    if as_json:
        print_json({"image": number, "topics": _as_dicts(changes)})
    else:
        typer.echo(f"catalog {number} is in force")


@worker_app.command("collect", epilog="Example: octroi worker collect")
@honest
def collect(data: Data = None) -> None:
    """Gather single records into raw blocks."""
    settings = _settings(data)
    from apps.workers.run import run_collector, stop_on_signals

    run_collector(settings, stop_on_signals())


@worker_app.command("stages", epilog="Example: octroi worker stages resource account")
@honest
def stages(
    stage: Annotated[list[str] | None, typer.Argument(help="decode, resource, account; all of them.")] = None,
    data: Data = None,
) -> None:
    """Run the agents of some stages, or of all."""
    unknown = sorted(set(stage or ()) - set(STAGES))
    if unknown:
        raise typer.BadParameter(f"there is no stage {', '.join(unknown)}; there are {', '.join(STAGES)}")
    settings = _settings(data)
    from apps.workers.run import run_stages

    run_stages(settings, stage or STAGES)


@worker_app.command("sink", epilog="Example: octroi worker sink")
@honest
def sink(data: Data = None) -> None:
    """Write output blocks into ClickHouse."""
    settings = _settings(data)
    from apps.workers.run import run_sink, stop_on_signals

    run_sink(settings, stop_on_signals(), say)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(topics_app, name="topics")
    app.add_typer(stream_app, name="stream")
    app.add_typer(worker_app, name="worker")
