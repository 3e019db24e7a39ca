"""`octroi demo` and `octroi bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.bench_suites import ALL, SUITES, Ask, Size, keep_to, run_suite
from apps.cli.failures import MISMATCH, WrongUsage, honest
from apps.cli.options import AsJson


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
    name: Annotated[str, typer.Argument(help=f"all, or one of {', '.join(SUITES)}.")] = "end_to_end",
    records: Annotated[
        int | None,
        typer.Option(
            min=1000, help="Records to generate; 2,000,000 end to end, and by suite otherwise.", show_default=False
        ),
    ] = None,
    only: Annotated[
        str,
        typer.Option(
            metavar="PARTS",
            help="Parts of a benchmark, by commas; of `all`, benchmarks. What is left out costs too much to run unasked.",
        ),
    ] = "",
    large_bytes: Annotated[
        int, typer.Option("--bytes", min=1 << 20, help="Size of the file of part large_file.")
    ] = 5_000_000_000,
    size: Annotated[
        Size, typer.Option(help="smoke: as little as shows that everything works and is right; one run.")
    ] = Size.FULL,
    cores: Annotated[
        int | None, typer.Option(min=1, help="Run on so many cores; all unless told otherwise.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the generator.")] = 7,
    runs: Annotated[
        int | None,
        typer.Option(
            min=1, help="Measured runs, most in a fresh process and data directory; 3, of smoke 1.", show_default=False
        ),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the result here, not to stdout.")
    ] = None,
) -> None:
    """Measure throughput, and check the totals against an independent recount; exit with 1 when they differ."""
    if name != ALL and name not in SUITES:
        raise WrongUsage(f"there is no benchmark {name!r}; there is {', '.join([ALL, *SUITES])}")
    from apps.jit import prepare_cache

    if cores is not None:
        keep_to(cores)
    prepare_cache()
    from apps.bench_all import bench_all

    parts = [part.strip() for part in only.split(",") if part.strip()]
    ask = Ask(parts, records, large_bytes, seed, runs or (1 if size is Size.SMOKE else 3), size, json_file)
    agreed = bench_all(ask) if name == ALL else run_suite(name, ask)
    if not agreed:
        raise typer.Exit(MISMATCH)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: octroi demo --records 300000")(demo)
    app.command(epilog="Example: octroi bench end_to_end --records 2000000 --seed 7 --json out.json")(bench)
