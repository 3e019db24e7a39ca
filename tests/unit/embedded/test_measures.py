"""A catalog in which something is measured otherwise than ever before does not take effect."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from apps.embedded.measures import UnableToActivate, check_measures
from apps.embedded.ports import NoStore
from billing.catalog.store import load_catalog
from billing.catalog.templates import source_templates
from schemas.catalog import Catalog
from schemas.source import SourceBase

DECLARED = """\
{kind: unit, code: GBh, decimals: 6}
---
{kind: event_type, code: storage, unit: GBh}
---
{kind: event_type, code: voice, unit: s}
---
{kind: counter, code: month, unit: min}
---
{kind: counter, code: stored, unit: GBh}
---
{kind: unit, code: therm, of: kWh, factor: "29.3001"}
---
{kind: event_type, code: gas, unit: therm}
---
{kind: counter, code: burnt, unit: therm}
"""


SOLD = """\
{kind: event_type, code: message, unit: event}
---
{kind: price_plan, code: message, currency: EUR, versions: [{start: "2026-01-01T00:00:00Z", model: event, price: "1"}]}
---
{kind: charge, code: message, event_type: message, price_plan: message}
---
{kind: offer, code: mobile, charges: [message]}
"""


class Knowing(NoStore):
    """A store that knows the event types of a catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self.rows = [
            {"code": code, "unit": kind.unit, "step_count": catalog.units[kind.unit].step_count}
            for code, kind in catalog.event_types.items()
        ]

    def query(self, sql: str, parameters: object = None) -> pa.Table:
        return pa.Table.from_pylist(self.rows)


def catalog_of(directory: Path, text: str) -> Catalog:
    directory.mkdir()
    (directory / "all.yaml").write_text(text)
    (directory / "sold.yaml").write_text(SOLD)
    return load_catalog(directory)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("decimals: 6", "decimals: 9", ['event type "storage" was measured in GBh with another', 'counter "stored"']),
        ("voice, unit: s", "voice, unit: B", ['event type "voice" was measured in s, not in B']),
        ("month, unit: min", "month, unit: MB", ['counter "month" was measured in min, not in MB']),
        ("code: month, unit: min", "code: month, unit: min, first_day: 15", ['"month" began on day 1, not on day 15']),
        ("storage, unit: GBh", "storage, unit: GB", ['event type "storage" was measured in GBh, not in GB']),
        (
            "29.3001",
            "29.3",
            ['event type "gas" was measured in therm of another worth (29300100 steps, not 29300000)', '"burnt"'],
        ),
    ],
)
def test_what_was_measured_otherwise_refuses_a_catalog(
    tmp_path: Path, before: str, after: str, told: list[str]
) -> None:
    one, other = catalog_of(tmp_path / "1", DECLARED), catalog_of(tmp_path / "2", DECLARED.replace(before, after))
    with pytest.raises(UnableToActivate) as found:
        check_measures(other, one, Knowing(one))
    assert all(sentence in str(found.value) for sentence in told)
    assert str(found.value).count("Give it another code") == len(told)


def test_another_unit_of_the_dimension_is_the_same_measure(tmp_path: Path) -> None:
    one = catalog_of(tmp_path / "1", DECLARED)
    other = catalog_of(
        tmp_path / "2",
        DECLARED.replace("voice, unit: s", "voice, unit: min").replace("month, unit: min", "month, unit: h")
        .replace("gas, unit: therm", "gas, unit: kWh").replace("burnt, unit: therm", "burnt, unit: MWh")
        + "---\n{kind: event_type, code: data, unit: B}\n",
    )  # fmt: skip
    check_measures(other, one, Knowing(one))
    check_measures(one, other, Knowing(other))
    # a therm of as many steps is a therm, whatever else it converts into
    check_measures(catalog_of(tmp_path / "4", DECLARED.replace("of: kWh", "of: GBh")), one, Knowing(one))
    check_measures(one, None, NoStore())
    # what no catalog has any more may come back as it was
    check_measures(catalog_of(tmp_path / "3", "{kind: event_type, code: voice, unit: s}\n"), one, Knowing(one))


def test_a_source_that_billed_its_indexes_does_not_begin_to_keep_them(tmp_path: Path) -> None:
    indexes, differences = (
        next(template.text for template in source_templates() if template.name == name)
        for name in ("enedis_indexes", "enedis_differences")
    )
    kept = catalog_of(tmp_path / "kept", differences)
    for code, told in (("enedis_readings", 'the source "enedis_readings" made usage'), ("enedis_indexes", "")):
        before = catalog_of(tmp_path / code, indexes.replace("code: enedis_indexes", f"code: {code}"))
        if told:
            with pytest.raises(UnableToActivate, match=told):
                check_measures(kept, before, Knowing(before))
        else:
            check_measures(kept, before, Knowing(before))
        check_measures(before, kept, Knowing(kept))
        check_measures(kept, kept, Knowing(kept))
    # and not by a catalog in between that does not have it, or has it otherwise
    before = catalog_of(tmp_path / "long_ago", indexes.replace("code: enedis_indexes", "code: enedis_readings"))
    without, asked = catalog_of(tmp_path / "without", DECLARED), list[str]()

    def ever(code: str) -> list[SourceBase]:
        asked.append(code)
        return [kept.sources[code], before.sources[code]]

    for active in (without, None):
        with pytest.raises(UnableToActivate, match='the source "enedis_readings" made usage'):
            check_measures(kept, active, Knowing(kept), sources=ever)
    check_measures(kept, kept, Knowing(kept), sources=ever)
    assert asked == ["enedis_readings"] * 2


def test_a_source_does_not_begin_or_cease_to_cut_its_intervals(tmp_path: Path) -> None:
    """Records that wait are found by their number in the file."""
    cut = next(template.text for template in source_templates() if template.name == "nem12")
    texts = {5: cut, 30: cut.replace("cut_minutes: 5", "cut_minutes: 30"), None: cut.replace("cut_minutes: 5\n", "")}
    catalogs = {minutes: catalog_of(tmp_path / str(minutes), text) for minutes, text in texts.items()}
    without = catalog_of(tmp_path / "without", DECLARED)
    for before, known in catalogs.items():
        for after, catalog in catalogs.items():
            ever = {"sources": lambda code, known=known: [known.sources[code]] if code in known.sources else []}
            for active in (known, without):  # also after a catalog that did not have it
                if before == after:
                    check_measures(catalog, active, Knowing(without), **ever)
                    continue
                with pytest.raises(UnableToActivate, match=r'"nem12" were .*`identity_space: nem12`'):
                    check_measures(catalog, active, Knowing(without), **ever)
    check_measures(catalogs[5], without, Knowing(without))  # a source that never was
    other = catalog_of(tmp_path / "other", cut.replace("code: nem12", "code: nem12-cut\nidentity_space: nem12"))
    check_measures(other, catalogs[None], Knowing(without))
