"""Accounts and usage for `octroi bench billing`: a month of a telephone company, drawn from a seed.

Of accounts, a fifth have a minimum, three tenths a discount, one in twenty prepaid credit; one in eight is a business, abroad
or at home, one in a hundred pays no tax, and one in ten uses so little that its invoice may wait.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.generate.draws import below, bits, draw
from benchmarks.generate.rows import write_atomically
from schemas.arrays import Int64Array

RECORDS_PER_ACCOUNT = 50
START_US = 1_767_222_000_000_000
"""2026-01-01T00:00+01:00."""
SPAN_S = 31 * 86_400 + 6 * 3600
"""Usage goes on for six hours after the month: that is for the next run."""
UNTIL = "2026-02-01"
FILE_RECORDS, CHUNK = 4_000_000, 500_000
_TYPES = np.array([0, 0, 0, 0, 0, 0, 1, 1, 2, 2])


def accounts_of(records: int) -> int:
    """Return how many accounts use so many records."""
    return max(records // RECORDS_PER_ACCOUNT, 20)


def write_billing(directory: Path, *, records: int, seed: int) -> None:
    """Write `catalog/` and `spool/usage/` of a data directory; a seed gives the same bytes everywhere."""
    accounts = accounts_of(records)
    documents = files("benchmarks.catalogs").joinpath("billing.yaml").read_bytes()
    text = documents + b"---\n{kind: subscription_table, file: customers.csv}\n"
    write_atomically(directory / "catalog" / "billing.yaml", [text])
    write_atomically(directory / "catalog" / "customers.csv", [_customers(accounts).write_csv().encode()])
    spool = directory / "spool" / "usage"
    spool.mkdir(parents=True)
    for number, first in enumerate(range(0, records, FILE_RECORDS), 1):
        part = spool / f".usage-{number:04}.csv.part"
        with part.open("wb") as file:
            for begin in range(first, min(first + FILE_RECORDS, records), CHUNK):
                index = np.arange(begin, min(begin + CHUNK, first + FILE_RECORDS, records))
                _usage(index, records, accounts, seed).write_csv(file, include_header=begin == first)
        part.replace(spool / f"usage-{number:04}.csv")


def _customers(accounts: int) -> pl.DataFrame:
    number = pl.col("number")
    code = number.cast(pl.String).str.zfill(8)
    business = number % 8 == 3
    return pl.DataFrame({"number": np.arange(accounts, dtype=np.int64)}).select(
        account="a" + code,
        currency=pl.lit("EUR"),
        subscription="s" + code,
        offer=pl.when(number % 5 == 2).then(pl.lit("committed")).otherwise(pl.lit("basic")),
        access_point="336" + code,
        start=pl.lit("2026-01-01T00:00:00+01:00"),
        prepaid_balance=pl.when(number % 40 == 27).then(pl.lit("30")).when(number % 20 == 7).then(pl.lit("5")),
        postpaid=pl.lit("true"),
        discount=pl.when(number % 10 < 2).then(pl.lit("tenth")).when(number % 10 == 4).then(pl.lit("gift")),
        country=pl.when(business & (number % 3 == 0)).then(pl.lit("DE")).otherwise(pl.lit("FR")),
        tax_category=pl.when(business).then(pl.lit("business")).otherwise(pl.lit("consumer")),
        tax_exemption=pl.when(number % 100 == 50).then(pl.lit("diplomatic mission")),
    )


def _usage(index: Int64Array, records: int, accounts: int, seed: int) -> pl.DataFrame:
    word = draw(seed, 1, index)
    account = below(word, accounts)
    # nine of ten records of accounts that use little are of their neighbours
    away = (account % 10 == 9) & (bits(word, 24, 8) >= 26)
    account = np.where(away, account - 1, account)
    kind = _TYPES[bits(word, 0, 8) % 10]
    size = 1 + bits(word, 8, 9)
    quantity = np.where(kind == 0, size, np.where(kind == 1, 1, (size * 131 + bits(word, 17, 7)) * 1000))
    at = START_US + index * SPAN_S // records * 1_000_000
    return pl.DataFrame({"id": index, "kind": kind, "account": account, "at": at, "quantity": quantity}).select(
        pl.col("id"),
        type=pl.col("kind").replace_strict([0, 1, 2], ["call", "sms", "data"], return_dtype=pl.String),
        caller="336" + pl.col("account").cast(pl.String).str.zfill(8),
        at=pl.from_epoch("at", time_unit="us").dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        quantity=pl.col("quantity"),
    )
