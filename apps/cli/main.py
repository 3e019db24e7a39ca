"""The application and its commands."""

from __future__ import annotations

import sys
from io import TextIOWrapper

import typer

from apps.cli import (
    accounts,
    backing_up,
    billing,
    catalogs,
    charging,
    databases,
    diameter,
    energy,
    explaining,
    fees,
    files,
    invoices,
    keys,
    notifying,
    processing,
    querying,
    rating,
    rejects,
    rerating,
    serve,
    setup,
    simulating,
    sources,
    streaming,
    subscriptions,
    tenants,
    trying,
    users,
    wallets,
)
from apps.memory import keep_freed_memory

app = typer.Typer(
    name="octroi",
    help="Usage mediation, rating and billing at stream speed. Start with `octroi demo`.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
processing.add_to(app)
serve.add_to(app)
charging.add_to(app)
wallets.add_to(app)
sources.add_to(app)
diameter.add_to(app)
rejects.add_to(app)
files.add_to(app)
notifying.add_to(app)
querying.add_to(app)
explaining.add_to(app)
rating.add_to(app)
catalogs.add_to(app)
rerating.add_to(app)
billing.add_to(app)
invoices.add_to(app)
fees.add_to(app)
energy.add_to(app)
simulating.add_to(app)
trying.add_to(app)
backing_up.add_to(app)
streaming.add_to(app)
tenants.add_to(app)
keys.add_to(app)
users.add_to(app)
accounts.add_to(app)
subscriptions.add_to(app)
databases.add_to(app)
setup.add_to(app)


def main() -> None:
    """Run the command line."""
    keep_freed_memory()
    for stream in (sys.stdout, sys.stderr):  # a terminal that knows ASCII alone is shown \\xe9 rather than a traceback
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    app()
