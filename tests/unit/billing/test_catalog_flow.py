"""What holds the records of a source together is checked before any file."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.store import load_catalog

QUANTITY = "{field: octets, unit: B, cumulative: {series: [session], on_decrease: wrap_64}}"
CATALOG = f"""\
{{kind: event_type, code: data, unit: B}}
---
{{kind: event_type, code: volume, unit: kB}}
---
{{kind: unit, code: coin, decimals: 15}}
---
{{kind: event_type, code: coins, unit: coin}}
---
kind: source
code: sessions
format: delimited
header: false
columns: [session, caller, at, octets, status, number]
mapping:
  identity: [session, at]
  access_point: caller
  time: {{field: at}}
  quantity: {QUANTITY}
  event_type: {{constant: data}}
---
kind: price_plan
code: data
currency: EUR
versions: [{{start: "2026-01-01T00:00:00Z", model: flat, per: "1 B", price: "1"}}]
---
{{kind: charge, code: data, event_type: data, price_plan: data}}
---
{{kind: offer, code: net, charges: [data]}}
"""


def test_a_sound_counter_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "catalog.yaml").write_text(CATALOG)
    cumulative = load_catalog(tmp_path).sources["sessions"].mapping.quantity.cumulative  # type: ignore[union-attr]
    assert cumulative is not None
    assert (cumulative.series, cumulative.opens_at, cumulative.on_decrease) == (("session",), "first", "wrap_64")


@pytest.mark.parametrize(
    ("old", "new", "field", "message", "fix"),
    [
        ("series: [session]", "series: [sesion]", "series.0", 'there is no column "sesion"', "session"),
        ("series: [session]", "series: [session, session]", "series.1", '"session" is repeated', "remove"),
        ("field: octets, unit: B", "constant: 1, unit: B", "cumulative", "read from a field", "field"),
        ("unit: B", "unit: kB", "cumulative.on_decrease", "counts base steps, such as B", "unit: B"),
        ("octets, unit: B", "octets, unit: B, format: hex", "cumulative.on_decrease", "in decimal digits", "unit: B"),
        (
            "{constant: data}",
            "{field: status, values: {d: data, v: volume}}",
            "cumulative",
            "counts in one unit, not in B and kB",
            "write its `unit`",
        ),
        (
            "on_decrease: wrap_64",
            "on_decrease: reset, rolls_over_at: session",
            "cumulative.rolls_over_at",
            "told twice",
            "remove",
        ),
        ("on_decrease: wrap_64", "on_decrease: back", "on_decrease", "reset", "reject"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, old: str, new: str, field: str, message: str, fix: str) -> None:
    assert old in CATALOG
    text = CATALOG.replace(old, new)
    if "values" in new:
        text = text.replace("octets, unit: B", "octets")
    (tmp_path / "catalog.yaml").write_text(text)
    with pytest.raises(UnableToLoadCatalog) as caught:
        load_catalog(tmp_path)
    (problem,) = caught.value.problems
    assert problem.field.endswith(field)
    assert message in problem.message + problem.fix
    assert fix in problem.message + problem.fix


def test_a_unit_too_fine_to_wrap_is_refused(tmp_path: Path) -> None:
    text = CATALOG.replace("unit: B, cumul", "unit: coin, cumul").replace("constant: data", "constant: coins")
    (tmp_path / "catalog.yaml").write_text(text.replace("wrap_64", "wrap_32"))
    with pytest.raises(UnableToLoadCatalog) as caught:
        load_catalog(tmp_path)
    (problem,) = caught.value.problems
    assert problem.message == "2**32 coin are more than a quantity can be"


ASSEMBLY = "assembly: {key: [session], sequence: number, part: {field: status, first: [F], middle: [I], last: [L]}}"
SESSIONS = CATALOG.replace(QUANTITY, "{field: octets, unit: B}").replace("mapping:\n", f"mapping:\n  {ASSEMBLY}\n")


def test_sound_sessions_are_loaded(tmp_path: Path) -> None:
    (tmp_path / "catalog.yaml").write_text(SESSIONS)
    assembly = load_catalog(tmp_path).sources["sessions"].mapping.assembly  # type: ignore[union-attr]
    assert assembly is not None
    assert (assembly.key, assembly.sequence, assembly.time_out) == (("session",), "number", timedelta(hours=6))


@pytest.mark.parametrize(
    ("old", "new", "field", "message"),
    [
        ("key: [session]", "key: [sesion]", "key.0", 'there is no column "sesion"'),
        ("key: [session]", "key: [session, session]", "key.1", '"session" is repeated'),
        ("sequence: number", "sequence: numbr", "sequence", 'there is no column "numbr"'),
        ("field: status", "field: state", "part.field", 'there is no column "state"'),
        (", last: [L]", "", "part", "no value is the last part"),
        ("middle: [I]", "middle: [L]", "part.last.0", '"L" is the middle part already'),
        ("sequence: number", "time_out: PT0S", "time_out", "1"),
        ("sequence: number", "time_out: P63D", "time_out", "62"),
        ("{field: octets, unit: B}", QUANTITY, "assembly", "has counters or sessions in parts, not both"),
        ("header: false", "header: false\non_same_key: supersede", "on_same_key", "parts of sessions cannot supersede"),
    ],
)
def test_sessions_that_make_no_sense_are_refused(tmp_path: Path, old: str, new: str, field: str, message: str) -> None:
    assert old in SESSIONS
    (tmp_path / "catalog.yaml").write_text(SESSIONS.replace(old, new))
    with pytest.raises(UnableToLoadCatalog) as caught:
        load_catalog(tmp_path)
    problem = caught.value.problems[0]
    assert problem.field.endswith(field)
    assert message in problem.message + problem.fix
