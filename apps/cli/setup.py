"""`octroi config show` and `octroi version`."""

from __future__ import annotations

from typing import Annotated

import typer

from apps.cli.failures import honest
from apps.cli.options import AsJson, Data, read_settings
from apps.cli.output import print_json, print_table

config = typer.Typer(help="Settings of this installation.", no_args_is_help=True)


@config.command("show", epilog="Example: OCTROI_FLUSH_MS=200 octroi config show --origin")
@honest
def show(
    data: Data = None,
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value comes from.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the settings: OCTROI_… environment variables, then .env, then octroi.toml, then defaults."""
    from apps.settings import origins

    settings = read_settings(data)
    values = settings.model_dump(mode="json")
    sources = origins({} if data is None else {"data_dir": data}, type(settings))
    if as_json:
        print_json({name: {"value": value, "origin": sources[name]} for name, value in values.items()})
        return
    rows = [
        [
            name,
            "" if value is None else str(value),
            *([sources[name]] if origin else []),
            type(settings).model_fields[name].description,
        ]
        for name, value in values.items()
    ]
    print_table("", ["setting", "value", *(["origin"] if origin else []), "meaning"], rows)


@honest
def version(as_json: AsJson = False) -> None:
    """Print the version."""
    from importlib.metadata import version as version_of

    if as_json:
        print_json({"octroi": version_of("octroi")})
    else:
        print(f"octroi {version_of('octroi')}")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(config, name="config")
    app.command(epilog="Example: octroi version --json")(version)
