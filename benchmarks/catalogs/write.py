"""Writes a catalog directory: the documents of an industry and the table of who bought what."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.generate.cloud import device_names, project_names
from benchmarks.generate.meters import prm_numbers
from benchmarks.generate.roaming import roamer_number
from benchmarks.generate.rows import write_atomically
from benchmarks.generate.telephony import subscriber_number


def write_telephony_catalog(directory: Path, *, subscribers: int) -> None:
    """Write the catalog that rates `write_telephony` with as many subscribers.

    Of a hundred subscribers, fifty have the essential offer, thirty-five the plus offer and fifteen the prepaid one; of
    these, one can spend his prepaid balance only.
    """
    number = np.arange(subscribers, dtype=np.int64)
    part = pl.col("number") % 100
    table = pl.DataFrame({"number": number, "msisdn": subscriber_number(number)}).select(
        account=_code("mobile-account", pl.col("number")),
        currency=pl.lit("EUR"),
        subscription=_code("mobile", pl.col("number")),
        offer=pl.when(part < 50)
        .then(pl.lit("mobile-essential"))
        .when(part < 85)
        .then(pl.lit("mobile-plus"))
        .otherwise(pl.lit("mobile-prepaid")),
        access_point=pl.lit("336") + pl.col("msisdn").cast(pl.String).str.zfill(8),
        prepaid_balance=pl.when(part == 99).then(pl.lit("4.50")).when(part >= 85).then(pl.lit("15")).otherwise(None),
        postpaid=pl.when(part == 99).then(pl.lit("false")).otherwise(pl.lit("true")),
    )
    _write(directory, "telephony", table)


def write_electricity_catalog(directory: Path, *, meters: int) -> None:
    """Write the catalog that rates `write_meters` with as many meters."""
    number = np.arange(meters, dtype=np.int64)
    table = pl.DataFrame({"number": number, "prm": prm_numbers(number)}).select(
        account=_code("energy-account", pl.col("number")),
        currency=pl.lit("EUR"),
        subscription=_code("energy", pl.col("number")),
        offer=pl.lit("electricity-hphc"),
        access_point=pl.col("prm").cast(pl.String).str.zfill(14),
    )
    _write(directory, "electricity", table)


def write_cloud_catalog(directory: Path, *, devices: int, projects: int) -> None:
    """Write the catalog that rates `write_cloud` with as many devices and projects."""
    names = device_names(devices) + project_names(projects)
    number = pl.int_range(pl.len())
    table = pl.DataFrame({"name": names}).select(
        account=_code("cloud-account", number),
        currency=pl.lit("EUR"),
        subscription=_code("cloud", number),
        offer=pl.when(number < devices).then(pl.lit("connected-device")).otherwise(pl.lit("cloud-project")),
        access_point=pl.col("name"),
    )
    _write(directory, "cloud", table)


def write_roaming_catalog(directory: Path, *, subscribers: int) -> None:
    """Write the catalog that rates `write_roaming` with as many subscribers."""
    number = np.arange(subscribers, dtype=np.int64)
    table = pl.DataFrame({"number": number, "imsi": roamer_number(number)}).select(
        account=_code("roaming-account", pl.col("number")),
        currency=pl.lit("EUR"),
        subscription=_code("roaming", pl.col("number")),
        offer=pl.lit("roaming"),
        access_point=pl.col("imsi").cast(pl.String),
    )
    _write(directory, "roaming", table)


def _code(prefix: str, number: pl.Expr) -> pl.Expr:
    return pl.lit(f"{prefix}-") + number.cast(pl.String).str.zfill(8)


def _write(directory: Path, industry: str, table: pl.DataFrame) -> None:
    documents = files("benchmarks.catalogs").joinpath(f"{industry}.yaml").read_bytes()
    write_atomically(directory / f"{industry}.yaml", [documents])
    write_atomically(directory / f"{industry}-subscriptions.csv", [table.write_csv().encode()])
