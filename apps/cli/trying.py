"""`octroi demo` and `octroi bench`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from apps.cli.failures import MISMATCH, WrongUsage, honest
from apps.cli.options import AsJson

BENCHES = ("billing", "end_to_end", "energy", "invoices", "mediation", "rating", "store", "stream", "wallets")


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
    records: Annotated[
        int | None,
        typer.Option(
            min=1000, help="Records to generate; 2,000,000 end to end, and by suite otherwise.", show_default=False
        ),
    ] = None,
    only: Annotated[
        str,
        typer.Option(
            metavar="SUITES",
            help="Of `mediation`, `energy` [all but large_file], `invoices`, `rating` [shapes], `store`, `stream`,"
            " `wallets`, by commas.",
        ),
    ] = "",
    large_bytes: Annotated[
        int, typer.Option("--bytes", min=1 << 20, help="Size of the file of suite large_file.")
    ] = 5_000_000_000,
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
    suites = [suite.strip() for suite in only.split(",") if suite.strip()]
    if name in ("billing", "end_to_end") and only:
        raise WrongUsage(f"{name} has no suites to choose from")
    if name == "billing":
        from apps.bench_billing import bench_billing

        agreed = bench_billing(records=records, seed=seed, runs=runs, json_file=json_file)
    elif name == "energy":
        from apps.bench_energy import ENERGY_SUITES, bench_energy

        _expect_suites(suites, ENERGY_SUITES)
        agreed = bench_energy(
            only=suites, records=records, large_bytes=large_bytes, seed=seed, runs=runs, json_file=json_file
        )
    elif name == "invoices":
        from apps.bench_invoices import INVOICE_SUITES, bench_invoices

        _expect_suites(suites, INVOICE_SUITES)
        agreed = bench_invoices(only=suites, records=records, seed=seed, runs=runs, json_file=json_file)
    elif name == "mediation":
        from apps.bench_mediation import SUITES, bench_mediation

        _expect_suites(suites, SUITES)
        agreed = bench_mediation(
            only=suites, records=records, large_bytes=large_bytes, seed=seed, runs=runs, json_file=json_file
        )
    elif name == "rating":
        from apps.bench_rating import RATING_SUITES, bench_rating

        _expect_suites(suites, RATING_SUITES)
        agreed = bench_rating(only=suites, records=records, seed=seed, runs=runs, json_file=json_file)
    elif name == "wallets":
        from apps.bench_wallets import WALLET_SUITES, bench_wallets

        _expect_suites(suites, WALLET_SUITES)
        agreed = bench_wallets(only=suites, records=records, seed=seed, runs=runs, json_file=json_file)
    elif name == "store":
        from apps.bench_store import STORE_SUITES, bench_store

        _expect_suites(suites, STORE_SUITES)
        agreed = bench_store(only=suites, records=records, seed=seed, runs=runs, json_file=json_file)
    elif name == "stream":
        from apps.bench_stream import STREAM_SUITES, bench_stream

        _expect_suites(suites, STREAM_SUITES)
        agreed = bench_stream(only=suites, records=records, seed=seed, runs=runs, json_file=json_file)
    else:
        from apps.bench import bench_end_to_end

        agreed = bench_end_to_end(records=records or 2_000_000, seed=seed, runs=runs, json_file=json_file)
    if not agreed:
        raise typer.Exit(MISMATCH)


def _expect_suites(suites: list[str], known: Iterable[str]) -> None:
    if unknown := [suite for suite in suites if suite not in known]:
        raise WrongUsage(f"there is no suite {', '.join(unknown)}; there are {', '.join(known)}")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: octroi demo --records 300000")(demo)
    app.command(epilog="Example: octroi bench end_to_end --records 2000000 --seed 7 --json out.json")(bench)
