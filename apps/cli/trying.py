"""`octroi demo` and `octroi bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.cli.failures import MISMATCH, WrongUsage, honest
from apps.cli.options import AsJson

BENCHES = ("end_to_end",)


@honest
def demo(
    records: Annotated[int, typer.Option(min=1000, help="Records of all three industries together.")] = 1_200_000,
    seed: Annotated[int, typer.Option(help="Other seeds, other usage.")] = 7,
    data: Annotated[
        Path, typer.Option("--data", "-d", metavar="DIR", help="Where to make it; an earlier demo there is replaced.")
    ] = Path("octroi-demo"),
    as_json: AsJson = False,
) -> None:
    """Show the main job on a million records of three industries: telephony, electricity, cloud and IoT."""
    from apps.jit import prepare_cache

    prepare_cache()
    from apps.demo import run_demo

    raise typer.Exit(run_demo(data, records=records, seed=seed, as_json=as_json))


@honest
def bench(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(BENCHES)}.")] = "end_to_end",
    records: Annotated[int, typer.Option(min=1000, help="Records to generate.")] = 2_000_000,
    seed: Annotated[int, typer.Option(help="Seed of the generator.")] = 7,
    runs: Annotated[int, typer.Option(min=1, help="Measured runs, each in a fresh process and data directory.")] = 3,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the result here, not to stdout.")
    ] = None,
) -> None:
    """Measure throughput, and check the totals against an independent recount; exit with 1 when they differ."""
    if name not in BENCHES:
        raise WrongUsage(f"there is no benchmark {name!r}; there is {', '.join(BENCHES)}")
    from apps.jit import prepare_cache

    prepare_cache()
    from apps.bench import bench_end_to_end

    if not bench_end_to_end(records=records, seed=seed, runs=runs, json_file=json_file):
        raise typer.Exit(MISMATCH)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: octroi demo --records 300000")(demo)
    app.command(epilog="Example: octroi bench end_to_end --records 2000000 --seed 7 --json out.json")(bench)
