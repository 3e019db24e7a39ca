"""Bad source definitions: each is refused at its line, under its field, with a fix. One row per rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from catalog_problems import Case, E, S, assert_told

CASES = {
    "source event type unknown": Case(
        S, "constant: toll", "constant: tool", "tool", "mapping.event_type.constant", "", '"toll"?'
    ),
    "source value unknown": Case(S, "{V: call,", "{V: cal,", "V: cal,", "mapping.event_type.values.V", "", '"call"?'),
    "event type twice": Case(
        S,
        "{constant: toll}",
        "{constant: toll, field: x, values: {a: toll}}",
        "field: x",
        "mapping.event_type",
        "either",
        "either",
    ),
    "event type never": Case(S, "{constant: toll}", "{}", "{}", "mapping.event_type", "either", "constant"),
    "event type without values": Case(
        S, "{constant: toll}", "{field: x}", "{field: x}", "mapping.event_type", "no value", "add"
    ),
    "event type values without field": Case(
        S,
        "{constant: toll}",
        "{constant: toll, values: {a: toll}}",
        "values: {a",
        "mapping.event_type.values",
        "no field",
        "add",
    ),
    "quantity twice": Case(
        S, "{constant: 1}", "{constant: 1, field: n}", "field: n", "mapping.quantity", "two times", "one of"
    ),
    "quantity never": Case(S, "{constant: 1}", "{}", "{}", "mapping.quantity", "two times", "constant"),
    "quantity unit unknown": Case(S, "unit: KiB", "unit: KiBi", "KiBi", "mapping.quantity.unit", "unknown", '"KiB"?'),
    "quantity of another dimension": Case(
        S,
        "unit: KiB",
        "unit: h",
        "unit: h",
        "mapping.quantity.unit",
        'h measures time, but "data" measures data',
        "B, kB",
    ),
    "constant too large": Case(
        S,
        "constant: 1}",
        "constant: 99999999999999999}",
        "constant: 9",
        "mapping.quantity.constant",
        "large",
        "smaller",
    ),
    "time zone unknown": Case(S, "zone: Europe/Paris", "zone: CEST", "CEST", "mapping.time.zone", "unknown", ""),
    "time zone of a count": Case(
        S, "format: epoch_ms", "format: epoch_ms, zone: UTC", "zone: UTC", "mapping.time.zone", "has no zone", "remove"
    ),
    "no columns": Case(
        S,
        "columns: [id, msisdn, at, type, volume, dest]\n",
        "",
        "kind: source\ncode: cdr",
        "columns",
        "needs columns",
        "add",
    ),
    "columns and header": Case(
        S, "header: false", "header: true", "columns: [", "columns", "names its columns itself", "remove"
    ),
    "column twice": Case(S, "volume, dest]", "volume, dest, id]", "columns: [", "columns.6", "repeated", "remove"),
    "column unknown": Case(
        S, "destination: dest", "destination: desti", "desti}", "mapping.attributes.destination", "", '"dest"?'
    ),
    "filter column unknown": Case(
        S, "{field: type, keep", "{field: typ, keep", "typ, keep", "mapping.filters.0.field", "", '"type"?'
    ),
    "filter idle": Case(S, ', keep: [V, "1"]', "", "filters: [", "mapping.filters.0", "neither keeps nor drops", "add"),
    "attribute not of all event types": Case(
        S,
        "values: {V: call, 1: call, no: call}}\n  attributes: {destination: dest}",
        "values: {V: call, 1: data}}\n  attributes: {network: dest}",
        "{network",
        "mapping.attributes.network",
        'event type "data" has no attribute',
        "use one of",
    ),
    "identity twice": Case(S, "[id, msisdn]", "[id, id]", "[id, id]", "mapping.identity.1", "repeated", "remove"),
    "delimiter of two": Case(S, '";"', '";;"', '";;"', "delimiter", "too long", "at most 1"),
    "delimiter a quote": Case(S, '";"', "'\"'", "'\"'", "delimiter", "cannot be a delimiter", "ASCII"),
    "identity of CloudEvents": Case(
        S, "[source, id]", "[id]", "[id]\n  access_point: subject", "mapping.identity", "", "[source, id]"
    ),
    "path of CloudEvents": Case(
        S, "data.bytes", "data..bytes", "data..", "mapping.quantity.field", "not a path", "dots"
    ),
    "R151 not energy": Case(E, "unit: kWh", "unit: kVA", "format: r151", "event_type", "apparent_power", "kWh"),
}


@pytest.mark.parametrize("name", CASES)
def test_problem(name: str, tmp_path: Path) -> None:
    assert_told(CASES[name], tmp_path)
