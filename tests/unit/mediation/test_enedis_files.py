"""Flows of Enedis that are damaged, of another shape, huge, or full of what must not come any further."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest
from mediation_world import EVENT_TYPE_CODES, EVENT_TYPES, SECRET, UNITS
from template_world import load

from pipelines.mediation.context import DecodeContext
from pipelines.mediation.decode import check_file, decode_blocks, describe, make_decoder
from pipelines.mediation.enedis import json_elements, xml_elements
from pipelines.mediation.enedis.decoder import read_pieces, read_rows
from pipelines.mediation.enedis.policy import Policy
from pipelines.mediation.explain import raw_record
from pipelines.mediation.failures import UnableToDecodeFile
from schemas.energy import RecordKind
from schemas.price_plan import EventType
from schemas.rejection import Reason
from schemas.source_energy import EnedisSource

CLASS = (
    "<Classe_Temporelle><Id_Classe_Temporelle>HP</Id_Classe_Temporelle><Classe_Mesure>2</Classe_Mesure>"
    "<Unite_Mesure>kWh</Unite_Mesure><Sens_Mesure>0</Sens_Mesure><Valeur>{value}</Valeur></Classe_Temporelle>"
)
READING = (
    "\n<PRM><Id_PRM>09111642617347</Id_PRM>\n<Donnees_Releve><Id_Releve>{id}</Id_Releve>"
    "<Date_Releve>2026-02-01T00:00:00+01:00</Date_Releve><Id_Calendrier>{calendar}</Id_Calendrier>"
    "<Statut_Releve>{status}</Statut_Releve><Date_Releve_Precedent>2026-01-01T00:00:00+01:00</Date_Releve_Precedent>\n"
    + CLASS
    + "</Donnees_Releve></PRM>"
)
HEAD = "<?xml version='1.0'?><R15 xmlns:e='urn:e'><En_Tete_Flux><Date_Creation>2026-02-02T05:00:00+01:00</Date_Creation></En_Tete_Flux>"


def r15(*readings: str, head: str = HEAD, end: str = "</R15>") -> bytes:
    """Return an R15 file."""
    return (head + "".join(readings) + end).encode()


def reading(value: object = 100, **changes: str) -> str:
    """Return a point with one energy."""
    return READING.format(**{"id": "1", "calendar": "FC022034", "status": "INITIAL", "value": value} | changes)


def r64(*points: dict[str, Any], **more: Any) -> bytes:
    """Return an R64 file."""
    return json.dumps({"header": {"codeFlux": "R64"}, "mesures": list(points), **more}).encode()


def point(value: object = 10, d: str = "2026-06-01 00:00:00", **values: Any) -> dict[str, Any]:
    """Return a measure with one index."""
    dial = {"idClasseTemporelle": "HP", "codeCadran": "F1", "valeur": [{"d": d, "v": value, "iv": 0} | values]}
    calendar = {"idCalendrier": "FC022034", "libelleGrille": "Fournisseur", "classeTemporelle": [dial]}
    quantity = {"grandeurMetier": "CONS", "grandeurPhysique": "EA", "unite": "Wh", "calendrier": [calendar]}
    return {"idPrm": "09111642617347", "contexte": [{"typeReleve": "AQ", "grandeur": [quantity]}]}


R50 = (
    b"<R50><En_Tete_Flux><Pas_Publication>30</Pas_Publication></En_Tete_Flux><PRM><Id_PRM>1</Id_PRM><Donnees_Releve>"
    b"<PDC><H>2026-01-01T00:30:00+01:00</H><V>10</V></PDC></Donnees_Releve></PRM></R50>"
)
REFUSED: list[tuple[str, RecordKind, bytes, str]] = [
    ("MALFORMED_XML", "quantities", r15(reading())[:-3], "line 4, column"),
    ("MALFORMED_XML", "quantities", r15(reading(), end=""), "line 4, column 221: no element found"),
    ("MALFORMED_XML", "quantities", r15(reading()) + b"<more/>", "line 4, column 227: junk"),
    ("MALFORMED_XML", "quantities", r15(reading("&unknown;")), "line 4, column 166: undefined entity"),
    ("MALFORMED_XML", "quantities", b"id;at\n1;2\n", "line 1"),
    ("MALFORMED_XML", "quantities", b"<!DOCTYPE R15 [<!ENTITY a 'ha'>]>" + r15(reading()).partition(b"?>")[2], "document type"),
    ("WRONG_FLOW", "quantities", b"<R99><PRM/></R99>", "the root element is 'R99'; quantities are read of R15, R17, R67, R65"),
    ("WRONG_FLOW", "intervals", r15(reading()), "the root element is 'R15'; intervals are read of R50, R4x, R63, HDM"),
    ("WRONG_FLOW", "quantities", r15(f"<Lot>{reading()}</Lot>"), "line 1: PRM stands in Lot"),
    ("WRONG_FLOW", "quantities", r15("<PRM><Id_PRM>1</Id_PRM><Releve/></PRM>"), "line 1: PRM without Donnees_Releve"),
    ("WRONG_FLOW", "quantities", r15(reading()).replace(b"PRM>", b"Point>"), "the root element 'R15' holds no PRM"),
    ("WRONG_FLOW", "quantities", b"<R15/>", "holds no element"),
    ("WRONG_FLOW", "quantities", r15("<a>" * 40 + "</a>" * 40), "nest too deep"),
    ("MALFORMED_HEADER", "intervals", R50.replace(b">30<", b">" + b"9" * 5000 + b"<"), "Pas_Publication is '999"),
    ("WRONG_ENCODING", "quantities", b"<?xml version='1.0' encoding='foo'?><R15/>", "unknown encoding: foo"),
    ("WRONG_ENCODING", "quantities", b"<?xml version='1.0' encoding='shift_jis'?><R15/>", "multi-byte"),
    ("WRONG_FLOW", "readings", r64(point()).replace(b'"valeur": [', b'"valeur": [[]], "more": ['), "line 1: valeur is no array"),
    ("WRONG_FLOW", "readings", r64(point() | {"contexte": {}}), "line 1: contexte is no array of objects"),
    ("MALFORMED_HEADER", "intervals", b"<R50><PRM><Donnees_Releve/></PRM></R50>", "Pas_Publication is ''"),
    ("MALFORMED_JSON", "readings", r64(point())[:-1], "line 1: the end of the file stands where , or } belongs"),
    ("MALFORMED_JSON", "readings", r64(point())[:-9], "line 1"),
    ("MALFORMED_JSON", "readings", r64(point()) + b"{}", "something follows"),
    ("MALFORMED_JSON", "readings", b'{"mesures": [1]}', "an element of 'mesures' is no object"),
    ("MALFORMED_JSON", "readings", b'{"mesures": [{"a": nope' + b" " * 99 + b"}]}", "line 1: Expecting value"),
    ("MALFORMED_JSON", "readings", b'{"mesures": [{"a": ' + b"[" * 9999 + b"}]}", "beyond reason"),
    ("MALFORMED_JSON", "readings", b'{"mesures": [{"a": ' + b"9" * 9999 + b"}]}", "beyond reason"),
    ("WRONG_FLOW", "readings", b'{"header": {"codeFlux": "R64"}}', "without an array mesures or readings"),
    ("WRONG_FLOW", "readings", b'{"mesures": [{"idPrm": "1", "points": []}]}', "of no known flow"),
    ("WRONG_FLOW", "quantities", r64(point()), "a measure of the shape of R64"),
    ("WRONG_ENCODING", "readings", r64(point()).replace(b"FC022034", b"FC\xff"), "not UTF-8"),
]  # fmt: skip


class Slowly(io.RawIOBase):
    """A stream that gives few bytes at once."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data, self._step = io.BytesIO(data), step

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._data.readinto(memoryview(buffer)[: self._step])


@pytest.mark.parametrize(
    ("code", "kind", "data", "told"), REFUSED, ids=[f"{n}-{item[0]}" for n, item in enumerate(REFUSED)]
)
@pytest.mark.parametrize("step", [1 << 20, 7])
def test_a_file_that_cannot_be_read_is_refused_with_its_line(
    code: str, kind: RecordKind, data: bytes, told: str, step: int
) -> None:
    with pytest.raises(UnableToDecodeFile) as failure:
        list(read_rows(cast(BinaryIO, Slowly(data, step)), kind))
    assert failure.value.code == code
    assert told in failure.value.message


@pytest.mark.parametrize("data", [b"", b" \n\t", b"\xef\xbb\xbf\n"])
def test_an_empty_file_has_no_records(data: bytes) -> None:
    assert list(read_rows(io.BytesIO(data), "readings")) == []


def test_shapes_that_are_not_usual_are_read() -> None:
    many = [
        row
        for row in read_rows(io.BytesIO(b"\xef\xbb\xbf[" + r64(point(1)) + b",\n" + r64(point(2)) + b"]"), "readings")
    ]
    assert [(row["value"], row["line"]) for row in many] == [("1", "1"), ("2", "2")]
    assert list(read_rows(io.BytesIO(r64({"idPrm": "1", "contexte": []})), "readings")) == []
    # the version that is declared decides nothing, and neither does the flow's code
    odd = r64(point(3)).replace(b'"codeFlux": "R64"', b'"codeFlux": "R67"')
    assert [row["value"] for row in read_rows(io.BytesIO(odd), "readings")] == ["3"]
    prefixed = r15(reading()).replace(b"<R15 ", b"<e:R15 ").replace(b"</R15>", b"</e:R15>")
    assert len(list(read_rows(io.BytesIO(prefixed), "quantities"))) == 1


def test_an_element_without_an_end_is_not_collected_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_elements, "ELEMENT_BYTES_MAX", 1 << 16)
    monkeypatch.setattr(json_elements, "ELEMENT_CHARACTERS_MAX", 1 << 16)
    for kind, data in (
        ("quantities", HEAD.encode() + b"<PRM>" + b"<a/>" * 99_999),
        ("quantities", HEAD.encode() + b"x" * 999_999),
        ("quantities", HEAD.encode() + b"<!--" + b"x" * 999_999),
        ("readings", b'{"a":"' + b"x" * 999_999),
    ):
        with pytest.raises(UnableToDecodeFile) as failure:
            list(read_rows(io.BytesIO(data), cast(RecordKind, kind)))
        assert failure.value.code == "RECORD_TOO_LONG"


class Endless(io.RawIOBase):
    """A file of many points that is never there as a whole."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._rest = self._rest or next(self._pieces, b"")
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


def _pieces(kind: RecordKind, count: int) -> Iterator[bytes]:
    many = [reading()] * 100 if kind == "quantities" else [json.dumps(point()) + ","] * 100
    yield HEAD.encode() if kind == "quantities" else b'{"mesures": ['
    yield from ("".join(many).encode() for _ in range(count))
    yield b"</R15>" if kind == "quantities" else json.dumps(point()).encode() + b"]}"


@pytest.mark.parametrize("kind", ["quantities", "readings"])
def test_memory_does_not_grow_with_the_file(kind: RecordKind) -> None:
    peaks = []
    for count in (10, 60):  # half a megabyte, and three
        tracemalloc.start()
        read = sum(1 for _ in read_rows(cast(BinaryIO, Endless(_pieces(kind, count))), kind))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert read == 100 * count + (kind == "readings")
    assert peaks[1] < peaks[0] + 100_000


def _decoder(name: str, tmp_path: Path) -> Any:
    catalog = load(name, tmp_path / name)
    codes = {code: number for number, code in enumerate(catalog.event_types, 1)}
    source = catalog.sources[name]
    return make_decoder(DecodeContext("acme", source, catalog.event_types, codes, catalog.units, {"": 0}, SECRET))


def test_a_bad_record_stops_nothing_and_says_where_it_stands(tmp_path: Path) -> None:
    decoder = _decoder("enedis_r15", tmp_path)
    data = r15(
        reading(), reading("12a", id="2"), reading(id="3", calendar="INCONNU"), reading("", id="4"),
        reading(id="5").replace("2026-01-01T00:00:00", "2026-13-01T00:00:00"), reading(-7, id="6"),
    )  # fmt: skip
    check_file(decoder, io.BytesIO(data))
    (block,) = decode_blocks(decoder, io.BytesIO(data), claim=1)
    reasons = [Reason(int(reason)) for reason in block.reason]
    assert reasons == [
        Reason.NONE, Reason.INVALID_QUANTITY, Reason.DOUBTFUL_READING, Reason.FIELD_MISSING, Reason.INVALID_TIMESTAMP,
        Reason.NONE,
    ]  # fmt: skip
    assert [describe(decoder, block, row) for row in (1, 2, 3, 4)] == [
        "line 7: net is '12a'",
        "line 10: the calendar is INCONNU",
        "line 13: empty: net",
        "line 16: start is '2026-13-01T00:00:00+01:00'",
    ]
    assert block.quantity.tolist()[0] == 100_000_000
    assert block.quantity.tolist()[5] == -7_000_000


@pytest.mark.parametrize("unit", ["", "kVArh", "Sans Objet"])
def test_energy_in_a_unit_that_is_none_of_energy_is_no_number(unit: str, tmp_path: Path) -> None:
    """121 kWh without their unit are not 121 Wh."""
    files = [("enedis_r15", r15(reading(121).replace("kWh", unit)))]
    found = {"dbtMesure": "2026-01-01 00:00:00", "finMesure": "2026-02-01 00:00:00", "quantite": 121, "codeStatut": "I"}
    energy = {
        "codeGrille": "F",
        "codeCalendrier": "FC",
        "classeTemporelle": [{"idClasseTemporelle": "HP", "quantite": [found]}],
    }
    quantity = {"grandeurMetier": "CONS", "grandeurPhysique": "EA", "unite": unit, "calendrier": [energy]}
    files.append(("enedis_r67", r64({"idPrm": "1", "contexte": [{"grandeur": [quantity]}]})))
    for name, data in files:
        decoder = _decoder(name, tmp_path)
        (block,) = decode_blocks(decoder, io.BytesIO(data), claim=1)
        assert [Reason(int(reason)) for reason in block.reason] == [Reason.INVALID_QUANTITY]
        assert f"net is '121 {unit or 'without a unit'}'" in describe(decoder, block, 0)


@pytest.mark.parametrize("coefficient", ["0", "-1", "1,5"])
def test_a_coefficient_that_is_none_makes_no_index(coefficient: str) -> None:
    data = r15(
        reading().replace(
            ">2</Classe_Mesure>", f">1</Classe_Mesure><Coefficient_Lecture>{coefficient}</Coefficient_Lecture>"
        )
    )
    (row,) = read_rows(io.BytesIO(data), "readings")
    assert (row["value"], row["truncated"]) == (f"100 times {coefficient}", "")


@pytest.mark.parametrize(
    "stamp",
    ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:00", "2026-01-01+01:00", "2026-01-01T00:30\u202f", "2026-01-01Z"],
)
def test_an_instant_that_is_none_refuses_its_step(stamp: str, tmp_path: Path) -> None:
    decoder = _decoder("enedis_r50", tmp_path)
    data = R50.replace(b"2026-01-01T00:30:00+01:00", stamp.encode() + b"x" * stamp.endswith("\u202f"))
    (block,) = decode_blocks(decoder, io.BytesIO(data), claim=1)
    assert Reason(int(block.reason[0])) in (Reason.INVALID_TIMESTAMP, Reason.TIMESTAMP_OUT_OF_RANGE)


def test_what_customers_are_called_comes_no_further(samples: Path, tmp_path: Path) -> None:
    """Names, telephone numbers and addresses of C15 and F15 are in no column, no rejection and no message."""
    folder = samples / "energy" / "fr_enedis_samples" / "electricore"
    words = [
        "ANONYME", "Anonyme", "0600000000", "EXEMPLEVILLE", "RUE DE L'EXEMPLE", "LIGNE ADRESSE", "FOURNISSEUR EXEMPLE",
        "Titulaire", "Telephone", "Adresse",
    ]  # fmt: skip
    for name, template, kinds in (
        ("c15_avec_releves.xml", "enedis_c15", ("events", "readings")),
        ("f15.xml", "enedis_f15", ("lines",)),
    ):
        data = (folder / name).read_bytes()
        assert any(word.encode() in data for word in words)
        told = [repr(list(read_rows(io.BytesIO(data), cast(RecordKind, kind)))) for kind in kinds]
        decoder = _decoder(template, tmp_path)
        bad = data.replace(b"<Date_Evenement>2024", b"<Date_Evenement>x").replace(b"<Montant_HT>", b"<Montant_HT>x")
        for file in (data, bad):
            for block in decode_blocks(decoder, io.BytesIO(file), claim=1):
                for row in range(len(block)):
                    told += [
                        raw_record(block, row).decode(),
                        describe(decoder, block, row) if block.reason[row] else "",
                    ]
        for damaged in (
            data[: data.index(b"ANONYME") + 3] if b"ANONYME" in data else data[:-30],
            data.replace(b"<PRM>", b"<Lot><PRM>")
            .replace(b"</PRM>", b"</PRM></Lot>")
            .replace(b"Donnees_Valorisation>", b"X>"),
        ):
            with pytest.raises(UnableToDecodeFile) as failure:
                list(read_rows(io.BytesIO(damaged), cast(RecordKind, kinds[0])))
            told.append(failure.value.message)
        assert [(word, text) for word in words for text in told if word in text] == []


def test_a_mapping_names_columns_of_its_kind(tmp_path: Path) -> None:
    from billing.catalog.models import UnableToLoadCatalog
    from billing.catalog.store import load_catalog

    load("enedis_r15", tmp_path)
    text = (tmp_path / "enedis_r15.yaml").read_text().replace("field: start}", "field: at}")
    (tmp_path / "enedis_r15.yaml").write_text(text)
    with pytest.raises(UnableToLoadCatalog) as refused:
        load_catalog(tmp_path)
    assert 'mapping.time.field: quantities have no column "at"' in str(refused.value)


def test_half_a_surrogate_is_no_text() -> None:
    source = EnedisSource.model_validate(
        {"kind": "source", "code": "x", "format": "enedis", "records": "readings", "mapping": {
            "identity": ["point", "at"], "access_point": "point", "time": {"field": "at"}, "quantity": {"field": "value"},
            "event_type": {"constant": "power"}}}
    )  # fmt: skip
    event_types: dict[str, EventType] = EVENT_TYPES
    decoder = make_decoder(DecodeContext("acme", source, event_types, EVENT_TYPE_CODES, UNITS, {"": 0}, SECRET))
    data = r64(point()).replace(b"09111642617347", b"\\ud800")
    with pytest.raises(UnableToDecodeFile) as failure:
        check_file(decoder, io.BytesIO(data))
    assert failure.value.code == "WRONG_ENCODING"


def test_what_a_reading_says_of_its_dial_is_part_of_its_content(tmp_path: Path) -> None:
    decoder = _decoder("enedis_indexes", tmp_path)
    index = reading().replace("<Classe_Mesure>2<", "<Classe_Mesure>1<")
    rolled = index.replace(
        "</Valeur>",
        "</Valeur><Nb_Chiffres_Cadran>6</Nb_Chiffres_Cadran><Indicateur_Passage_A_Zero>1</Indicateur_Passage_A_Zero>",
    )
    (block,) = decode_blocks(decoder, io.BytesIO(r15(index, rolled)), claim=1)
    assert block.key_lo[0] == block.key_lo[1]
    assert block.content[0] != block.content[1]
    assert block.marks is not None
    assert block.marks.rolls_over_at.tolist() == [0, 10**12]  # a million kWh in mWh


def _r63_measure(count: int) -> dict[str, Any]:
    points = [{"v": "1", "d": f"2026-01-01 0{hour}:30:00", "p": "PT30M", "n": "B"} for hour in range(count)]
    quantity = {"grandeurMetier": "CONS", "grandeurPhysique": "PA", "unite": "W", "points": points}
    return {"idPrm": "09111642617347", "etapeMetier": "BRUT", "grandeur": [quantity]}


def test_points_that_nobody_reads_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that stand outside of measures go once a measure behind them is read; more of them than are held refuse the file."""
    monkeypatch.setattr("pipelines.mediation.enedis.fast_r63.POINTS_HELD_MAX", 13)
    junk = [{"points": _r63_measure(4)["grandeur"][0]["points"]}]

    def count(document: dict[str, Any]) -> int:
        stream = io.BytesIO(json.dumps(document).encode())
        pieces = read_pieces(stream, Policy("intervals"), ("point", "start", "value"))
        return sum(len(piece) if isinstance(piece, list) else len(piece[0]) for piece in pieces)

    assert count({"a": junk, "mesures": [_r63_measure(4), {**_r63_measure(4), "x": junk}, _r63_measure(4)]}) == 12
    with pytest.raises(UnableToDecodeFile, match="more than 13 points"):
        count({"a": junk * 5, "mesures": [_r63_measure(4)]})
    with pytest.raises(UnableToDecodeFile, match="more than 13 points"):
        count({"mesures": [_r63_measure(4)], "a": junk * 5})
