"""Charging services in a catalog: what is wrong with one is told, with a fix."""

from __future__ import annotations

from pathlib import Path

import pytest
from diameter_world import write_world

from apps.diameter.credit import Units, units_of
from apps.diameter.services import ServiceTable
from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.store import load_catalog
from pipelines.mediation.diameter.fields import Group, write_all

VOICE = "{kind: charging_service, code: voice, service_context: 32260@3gpp.org, event_type: call, measured_in: time, quota: 60 s,"


@pytest.mark.parametrize(
    ("was", "becomes", "message"),
    [
        ("event_type: call, measured_in", "event_type: fax, measured_in", 'the event type "fax" is unknown'),
        ("measured_in: time", "measured_in: total_octets", "total_octets cannot say how much of call"),
        ("quota: 60 s", "quota: 60 MB", "MB does not measure"),
        ("quota: 60 s", "quota: 0 s", "it is zero"),
        ("quota: 60 s", "quota: 1 fortnight", "is no quantity"),
        ("quota: 60 s", "quota: 60 s, threshold: 1 B", "B does not measure"),
        ("quota: 60 s", "quota: 60 s, redirect_to: x", "nobody is redirected"),
        ("final_unit: restrict", "final_unit: redirect", "it does not say where to"),
        ("final_unit: restrict", "final_unit: terminate", "nobody is restricted"),
        ("quota: 60 s", "quota: 60 s, attributes: {zone: User-Name}", "event type call has no attribute 'zone'"),
        ("quota: 60 s", "quota: 60 s, subscription_ids: [imsi, imsi]", "is repeated"),
        ("service_context: 32274@3gpp.org", "service_context: 32260@3gpp.org", "is for the same requests"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(was: str, becomes: str, message: str, tmp_path: Path) -> None:
    catalog = write_world(tmp_path) / "catalog"
    file = catalog / "catalog.yaml"
    text = file.read_text()
    assert VOICE in text
    head, tail = text.split("code: voice, ")
    where = tail if was in tail else head
    tail, head = (tail.replace(was, becomes, 1), head) if where is tail else (tail, head.replace(was, becomes, 1))
    file.write_text(f"{head}code: voice, {tail}")
    with pytest.raises(UnableToLoadCatalog) as caught:
        load_catalog(catalog)
    assert any(message in problem.message and problem.line for problem in caught.value.problems), caught.value.problems


def test_the_service_that_says_most_is_found_and_counts(tmp_path: Path) -> None:
    catalog = load_catalog(write_world(tmp_path) / "catalog")
    table = ServiceTable(catalog.charging_services, catalog.units, catalog.event_types)
    found = [
        table.find(context, group, ids)
        for context, group, ids in (
            ("302.220.8.32251@3gpp.org", 1, ()), ("32251@3gpp.org", 9, ()), ("32251@3gpp.org", None, (9,)), ("32255@3gpp.org", 9, ()),
        )
    ]  # fmt: skip
    assert [None if each is None else each.terms.code for each in found] == ["internet", "video", "internet", None]
    internet = found[0]
    assert internet is not None
    assert (internet.quota, internet.increment, internet.threshold) == (2000, 100, 500)

    def units(**said: int) -> Units:
        return units_of(Group(tuple(write_all({name.replace("_", "-"): value for name, value in said.items()}))))

    assert [internet.asked(each) for each in (units(), units(CC_Total_Octets=700), units(CC_Total_Octets=10**9))] == [
        2000,
        700,
        2000,
    ]
    assert (
        internet.used([units(CC_Input_Octets=3, CC_Output_Octets=4), units(CC_Total_Octets=5), units(CC_Time=9)]) == 12
    )
    voice = table.find("32260@3gpp.org", None, ())
    assert voice is not None
    assert (voice.step, voice.quota, voice.used([units(CC_Time=61)])) == (1000, 60_000, 61_000)
