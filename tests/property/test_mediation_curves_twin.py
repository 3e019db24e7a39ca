"""Load curves through kernels are what full parsers read, usual or not, wherever windows end; so are the texts that kernels write."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.mediation.columns.rows import columns_of
from pipelines.mediation.columns.text import as_json, object_keys
from pipelines.mediation.enedis import fast_r50, fast_r63, words
from pipelines.mediation.enedis.decoder import read_pieces, read_rows
from pipelines.mediation.enedis.policy import Policy
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.kernels import curve_text, curves, json_rows
from schemas import energy

NAMES = energy.columns_of("intervals")


@pytest.fixture(scope="module", autouse=True)
def small_windows() -> Any:
    """Let windows end in the middle of everything."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast_r50, "WINDOW_BYTES", 64)
        patch.setattr(fast_r63, "PIECE_BYTES", 16)
        yield


def by_kernel(data: bytes, *, checked: bool = True) -> tuple[int, Any]:
    """Return (how many pieces are columns, the records) or what is wrong with the file."""
    rows: list[dict[str, str]] = []
    fast = 0
    try:
        for piece in read_pieces(io.BytesIO(data), Policy("intervals"), NAMES, checked=checked):
            fast += not isinstance(piece, list)
            columns = columns_of(piece, NAMES) if isinstance(piece, list) else piece
            rows += [
                dict(zip(NAMES, row, strict=True))
                for row in zip(*(column.to_pylist() for column in columns), strict=True)
            ]
    except UnableToDecodeFile as error:
        return fast, (error.code, error.message)
    return fast, rows


def by_parser(data: bytes) -> Any:
    """Return the same by full parsers."""
    try:
        return [{name: row.get(name, "") for name in NAMES} for row in read_rows(io.BytesIO(data), "intervals")]
    except UnableToDecodeFile as error:
        return error.code, error.message


# ---- R50


powers = st.one_of(
    st.none(), st.integers(-9, 99_999).map(str), st.sampled_from(["", "007", "1.5", "x", "-", "1234567890", " 5 "])
)
stamps = st.one_of(
    st.integers(0, 10**7).map(lambda minutes: (datetime(1996, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes * 5)).astimezone(words.PARIS).isoformat()),
    st.sampled_from(["2026-02-30T00:00:00+01:00", "20x5-06-01T00:00:00+02:00", "2026-01-01T00:00:00Z", "2026-01-01 00:30:00+01:00", "2026-01-01", "", "1995-06-01T00:00:00+02:00",
                     "2026-01-01T24:00:00Z", "2026-01-01T00:00:00+0100", "2026-01-01T00:00:00", "é"]),
)  # fmt: skip
usual_stamps = st.integers(0, 10**6).map(
    lambda steps: (datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=steps * 30)).astimezone(words.PARIS).isoformat()
)


def pdc(stamp: str, power: str | None, doubt: str | None, between: str) -> str:
    """Return a point."""
    inside = [
        f"<H>{stamp}</H>",
        "" if power is None else f"<V>{power}</V>",
        "" if doubt is None else f"<IV>{doubt}</IV>",
    ]
    return f"{between}<PDC>{between.join(inside)}</PDC>"


usual_pdc = st.builds(
    pdc,
    usual_stamps,
    st.none() | st.integers(0, 9999).map(str),
    st.sampled_from([None, "0", "1"]),
    st.sampled_from(["", "\n"]),
)
any_pdc = st.builds(
    pdc, stamps, powers, st.sampled_from([None, "0", "1", "2", "", "12"]), st.sampled_from(["", "\n", " \r\n\t"])
)
odd = st.sampled_from(
    ["<!-- </PRM> -->", "<a/>", "<PDC/>", "<V/>", "&#48;", "<![CDATA[<PRM>]]>", "<x:PDC xmlns:x='u'/>"]
)
days = st.lists(st.one_of(usual_pdc, usual_pdc, usual_pdc, any_pdc, odd), max_size=5).map(
    lambda inside: f"<Donnees_Releve><Date_Releve>2026-01-01</Date_Releve>{''.join(inside)}</Donnees_Releve>"
)
usual_days = st.lists(usual_pdc, max_size=5).map(
    lambda inside: f"<Donnees_Releve><Date_Releve>2026-01-01</Date_Releve>\n{''.join(inside)}</Donnees_Releve>"
)
prms = st.lists(st.one_of(usual_days, usual_days, days), max_size=3).map(
    lambda inside: f"<PRM><Id_PRM>09111642617347</Id_PRM>{''.join(inside)}</PRM>"
)
R50_HEAD = "<En_Tete_Flux><Date_Creation>2026-01-02T03:00:00+01:00</Date_Creation><Pas_Publication>{step}</Pas_Publication></En_Tete_Flux>\n"


@given(
    parts=st.lists(prms, max_size=4), step=st.sampled_from(["30", "10", "60", "5", "0", ""]), declared=st.sampled_from(
        ["", "<?xml version='1.0' encoding='UTF-8'?>\n", "<?xml version='1.0' encoding='ISO-8859-1'?>"]
    ), end=st.sampled_from(["</R50>", "</R50>\n", "", "</R50><a/>", "<PRM/></R50>"]),
)  # fmt: skip
def test_r50_is_what_a_full_parser_reads(parts: list[str], step: str, declared: str, end: str) -> None:
    encoding = "latin-1" if "8859" in declared else "utf-8"
    data = f"{declared}<R50>{R50_HEAD.format(step=step)}{''.join(parts)}{end}".encode(encoding)
    wanted = by_parser(data)
    _, found = by_kernel(data)
    if isinstance(wanted, tuple) and isinstance(found, tuple):
        # what is damaged twice may be told of in another order; where it is, may be told a line before its column
        assert wanted[0] == found[0] or {wanted[0], found[0]} <= {"MALFORMED_XML", "WRONG_FLOW", "MALFORMED_HEADER"}
    else:
        assert found == wanted


@given(parts=st.lists(st.lists(usual_days, min_size=1, max_size=3), min_size=1, max_size=4))
def test_usual_r50_needs_no_parser(parts: list[list[str]]) -> None:
    inside = "\n".join(f"<PRM><Id_PRM>{n:014}</Id_PRM>{''.join(part)}</PRM>" for n, part in enumerate(parts))
    data = f"<R50>{R50_HEAD.format(step=30)}{inside}</R50>".encode()
    fast, found = by_kernel(data)
    assert found == by_parser(data)
    assert fast == bool(found)
    assert by_kernel(data, checked=False) == (fast, found)


# ---- R63


naive = st.one_of(
    st.integers(0, 4000).map(lambda hours: (datetime(2026, 3, 28) + timedelta(minutes=hours * 30)).strftime("%F %T")),
    st.integers(0, 300).map(lambda minutes: (datetime(2026, 10, 25) + timedelta(minutes=minutes)).strftime("%FT%T")),
    st.sampled_from(["2026-02-30 00:00:00", "20x6-07-01 00:00:00", "2026-01-01", "", None, "2026-01-01T00:00:00+01:00", "1990-07-01 00:00:00"]),
)  # fmt: skip
point = st.fixed_dictionaries(
    {"v": st.one_of(st.integers(0, 99_999).map(str), st.integers(-9, 9), st.none(), st.sampled_from(["", "01", "1.5", "é"])), "d": naive},
    optional={
        "p": st.sampled_from(["PT30M", "PT5M", "PT1H", "PT60M", "30", None]), "n": st.sampled_from(["B", "R", "C", "E", "", None, "BB"]),
        "tc": st.sampled_from(["K", None, ""]), "iv": st.sampled_from([0, 1, 2, None, "1", 15]), "ec": st.sampled_from([1, 8, 10, None]),
        "zz": st.integers(),
    },
)  # fmt: skip
usual_point = st.fixed_dictionaries(
    {"v": st.integers(0, 99_999).map(str), "d": st.integers(0, 9999).map(lambda n: (datetime(2026, 1, 1) + timedelta(minutes=n * 30)).strftime("%F %T")),
     "p": st.just("PT30M"), "n": st.sampled_from("BRC"), "iv": st.sampled_from([0, 1, None]), "ec": st.sampled_from([None, 1, 8])}
)  # fmt: skip


def measure(curves_of: list[tuple[str, list[Any]]], stage: str) -> dict[str, Any]:
    """Return a measure of R63."""
    quantities = [
        {"grandeurMetier": "CONS", "grandeurPhysique": "PA", "unite": unit, "points": points}
        for unit, points in curves_of
    ]
    return {"idPrm": "09111642617347", "etapeMetier": stage, "grandeur": quantities}


def measures(points: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Return measures of such points."""
    some = st.lists(st.tuples(st.sampled_from(["W", "kW", "VAr", "V"]), st.lists(points, max_size=4)), max_size=2)
    return st.lists(st.builds(measure, some, st.sampled_from(["BRUT", "BEST"])), max_size=3)


@given(found=measures(st.one_of(usual_point, usual_point, point)), indent=st.sampled_from([None, 1]), label=st.sampled_from(["x", '"points": [', "#"]))  # fmt: skip
def test_r63_is_what_a_full_parser_reads(found: list[dict[str, Any]], indent: int | None, label: str) -> None:
    data = json.dumps({"header": {"label": label}, "mesures": found}, indent=indent).encode()
    wanted = by_parser(data)
    assert by_kernel(data)[1] == wanted


@given(found=measures(usual_point), indent=st.sampled_from([None, 1]))
def test_usual_r63_needs_no_parser(found: list[dict[str, Any]], indent: int | None) -> None:
    data = json.dumps({"mesures": found}, indent=indent).encode()
    fast, rows = by_kernel(data)
    assert rows == by_parser(data)
    assert bool(fast) == bool(rows)


def test_a_member_of_the_name_that_stands_for_points_refuses_the_file() -> None:
    data = json.dumps({"mesures": [measure([("W", [{"octroi:points": 1, "p": 0}])], "BRUT")]}).encode()
    assert by_kernel(data)[1] == ("WRONG_FLOW", "something is called octroi:points, as nothing of any flow is")
    damaged = json.dumps({"mesures": [measure([("W", [])], "BRUT")]}).encode()[:-9]
    assert by_kernel(damaged)[1][0] == "MALFORMED_JSON"


@pytest.mark.parametrize(
    ("usual", "odd"),
    [(b'"v": 5', b'"v":: 5'), (b'"v": 5', b'"v" 5'), (b'"v": 5', b'"v": :5'), (b'"v": 5', b'"v":\x015'), (b'{"v"', b'{\x02"v"'), (b'null', b'nuxl'),
     (b'}, {', b'},\x0b{'), (b'}, {', b'},, {'), (b'}, {', b'} {')],
)  # fmt: skip
def test_points_that_are_no_json_are_refused_as_a_parser_refuses_them(usual: bytes, odd: bytes) -> None:
    point = {"v": 5, "d": "2026-01-01 00:30:00", "p": "PT30M", "n": None}
    data = json.dumps({"mesures": [measure([("W", [point, point])], "BRUT")]}).encode()
    assert by_kernel(data)[0] == 1
    assert usual in data
    damaged = data.replace(usual, odd, 1)
    assert by_kernel(damaged)[1] == by_parser(damaged)
    assert by_parser(damaged)[0] == "MALFORMED_JSON"


# ---- kernels


@given(
    st.lists(
        st.tuples(
            st.none() | st.integers(-(10**9), 10**12 - 1), st.sampled_from([60, 300, 420, 600, 900, 1800, 3600, 660])
        ),
        max_size=20,
    )
)
def test_energies_are_written_as_decimals_say(found: list[tuple[int | None, int]]) -> None:
    power = np.array([curves.NO_POWER if watts is None else watts for watts, _ in found], np.int64)
    steps = np.array([step for _, step in found], np.int64)
    out, edges = np.zeros(24 * len(found) + 1, np.uint8), np.zeros(len(found) + 1, np.int32)
    curve_text.write_values(power, steps, out, edges)
    texts = [out[a:b].tobytes().decode() for a, b in pairwise(edges)]
    assert texts == ["" if watts is None else words.energy_of(str(watts), step) for watts, step in found]
    assert all(Decimal(text or 0) is not None for text in texts)


@given(st.lists(st.integers(820_454_400, 7_258_118_399), max_size=20))
def test_instants_are_written_as_they_are(found: list[int]) -> None:
    out = np.zeros(20 * len(found), np.uint8)
    curve_text.write_instants(np.array(found, np.int64), out)
    assert out.tobytes().decode() == "".join(words.written(datetime.fromtimestamp(at, UTC)) for at in found)


@given(
    local=st.one_of(st.datetimes(datetime(1996, 1, 1), datetime(2199, 12, 30)),
                    st.builds(lambda year, minutes: datetime(year, 10, 24) + timedelta(minutes=minutes), st.integers(1996, 2199), st.integers(0, 14_400)),
                    st.builds(lambda year, minutes: datetime(year, 3, 24) + timedelta(minutes=minutes), st.integers(1996, 2199), st.integers(0, 14_400))),
    back=st.integers(-4, 4),
)  # fmt: skip
def test_clocks_of_paris_are_read_by_their_order(local: datetime, back: int) -> None:
    text = local.strftime("%Y-%m-%d %H:%M:%S").rjust(19, "0")
    first = words.parsed(text)
    assert first is not None
    before = first + timedelta(minutes=15 * back)
    buffer = np.frombuffer(bytearray(text.encode() + bytes(16)), np.uint8)
    found = curves.paris_to_utc(buffer, 0, int(before.timestamp()))
    assert datetime.fromtimestamp(int(found), UTC) == words.after(text, before)


@given(st.lists(st.tuples(st.text(st.characters(exclude_characters='"\\', min_codepoint=32, exclude_categories=["Cs"])), st.text(max_size=3)), min_size=1, max_size=5),
       st.sampled_from([("a", "b"), ('"', "é")]))  # fmt: skip
def test_objects_are_written_as_arrow_joins_them(rows: list[tuple[str, str]], names: tuple[str, str]) -> None:
    columns = [
        pa.array([row[place].encode("utf-8", "ignore").decode() for row in rows], pa.string()) for place in (0, 1)
    ]
    wanted = as_json(names, (pa.string(), pa.string()), columns).to_pylist()
    texts = [value.encode() for column in columns for value in column.to_pylist()]
    text = np.frombuffer(bytearray(b"".join(texts) + bytes(16)), np.uint8)
    size = len(text) - 16
    plain = all(byte >= 32 and byte not in b'"\\' for byte in b"".join(texts))
    assert json_rows.needs_escapes(text, size) == (not plain)
    if plain:
        ends = np.cumsum([len(value) for value in texts]).astype(np.int32).reshape(2, -1)
        starts = ends - np.array([len(value) for value in texts], np.int32).reshape(2, -1)
        keys = object_keys(names)
        bounds = np.cumsum([0, *map(len, keys)]).astype(np.int64)
        out, edges = np.zeros(size + len(rows) * int(bounds[-1]) + 8, np.uint8), np.zeros(len(rows) + 1, np.int64)
        json_rows.write_objects(
            text, starts, ends, np.frombuffer(bytearray(b"".join(keys) + bytes(8)), np.uint8), bounds, out, edges
        )
        assert [out[a:b].tobytes().decode() for a, b in pairwise(edges)] == wanted
