"""`octroi serve`: the owner of a data directory, which also takes usage over HTTP."""

from __future__ import annotations

from typing import Annotated

import typer

from apps.cli.failures import honest, say
from apps.cli.options import Data, open_settings, require_catalog, say_when_cold
from apps.cli.processing import show_report


class NoApiKeys(Exception):
    """No key is configured, so nobody could send anything."""


@honest
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for a free one.")] = 8080,
    data: Data = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Write no line per request.")] = False,
) -> None:
    """Do what `octroi run --follow` does, and take usage over HTTP, until Ctrl-C or SIGTERM.

    POST /v1/events?source=CODE answers 202 once everything in the body is durable. Who may send: `octroi key add`.
    """
    settings, directory = open_settings(data)
    from apps.control.keys import has_keys
    from apps.control.logins import has_users

    if not settings.api_keys and not has_keys(settings) and not has_users(settings):
        raise NoApiKeys(
            "there is no API key, so nobody could send anything: make one with `octroi key add`, or put the SHA-256 of one "
            "into the setting api_keys, as docs/operations.md says"
        )
    require_catalog(directory)
    from apps.api.server import serving
    from apps.embedded.session import run_session
    from apps.embedded.stopping import stopping

    say_when_cold(quiet=False)
    with stopping() as stop, serving(settings, host, port, say=say, quiet=quiet) as (gate, address):
        say(f"listening on {address}")
        report = run_session(
            directory,
            settings,
            [],
            follow=True,
            stop=stop,
            say=say,
            progress=lambda records: None,
            attendant=gate,
        )
    show_report(report, as_json=False)


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: octroi serve --data ./data --port 8080")(serve)
