"""What was asked of fees is read from files of every revision."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from apps.embedded.fees import UnableToChargeFees, _asked
from billing.subscriptions.rules_asking import ASKED_FRAME, OF_MINIMUMS

ROW = {
    "subscription": "s",
    "fee": "least",
    "key_at": 0,
    "nth": 0,
    "quantity": 1,
    "numerator": 1,
    "denominator": 2,
    "first_day": date(1970, 1, 1),
    "day_after": date(1970, 2, 1),
    "access_point": "fee:s",
    "terms": "1 month from calendar",
}


def _read(archive: Path, **names: str) -> pl.DataFrame:
    engine: Any = SimpleNamespace(directory=SimpleNamespace(spool=SimpleNamespace(archive=archive)))
    return _asked(engine, {stored: (name, "1970-02-01") for stored, name in names.items()})


def test_files_from_before_minimums_were_told_apart_are_read(tmp_path: Path) -> None:
    told = pl.DataFrame(
        [{**ROW, "scope": "customer", "over": "a", "counted": "voice data"}], schema=ASKED_FRAME, orient="row"
    )
    told.drop(OF_MINIMUMS).write_parquet(tmp_path / "one")
    told.drop(OF_MINIMUMS).write_parquet(tmp_path / "two")
    told.write_parquet(tmp_path / "three")
    found = _read(
        tmp_path, one="fees-until-1970-02-01", two="minimums-until-1970-02-01", three="minimums-until-1970-02-01"
    )
    assert found.schema == ASKED_FRAME
    # of which scope a minimum was is not known then: it counts for no other
    assert found.select(OF_MINIMUMS).rows() == [
        (None, None, None),
        ("unknown", None, None),
        ("customer", "a", "voice data"),
    ]
    assert found.drop(OF_MINIMUMS).unique().rows() == told.drop(OF_MINIMUMS).rows()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"no parquet")
    with pytest.raises(UnableToChargeFees, match="archive/one, which says what was charged, cannot be read"):
        _read(tmp_path, one="fees-until-1970-02-01")
