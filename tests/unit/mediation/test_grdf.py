"""Flows of GRDF: every record of every public sample by a twin, what may never be billed, and files that are damaged."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mediation_grdf import read_twin
from mediation_world import SECRET
from template_world import load

from pipelines.mediation.context import DecodeContext
from pipelines.mediation.decode import check_file, decode_blocks, describe, make_decoder
from pipelines.mediation.explain import raw_record
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.grdf.decoder import read_rows
from schemas.energy import RECORDS, RecordKind, columns_of
from schemas.rejection import Reason
from schemas.source_energy import GrdfTable

PUBLISHED = "lowatt_grdf/adict_v2_donnees_consos_publiees.ndjson"
DAILY = "lowatt_grdf/adict_v2_donnees_consos_informatives.ndjson"
ENERGIES = {"pygazpar/donnees_publiees.json": 87, "pygazpar/donnees_informatives.json": 1096, PUBLISHED: 1, DAILY: 1}


def rows_of(data: str | bytes, kind: RecordKind = "quantities", table: GrdfTable | None = None) -> list[dict[str, str]]:
    """Return the records of a file without what is empty."""
    stream = io.BytesIO(data.encode() if isinstance(data, str) else data)
    return [{name: text for name, text in row.items() if text} for row in read_rows(stream, kind, table)]


@pytest.fixture(scope="module")
def gas(samples: Path) -> Path:
    """Where the samples of gas are."""
    return samples / "energy" / "fr_gas"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The catalog of the ready-made source."""
    return load("grdf_gas", tmp_path_factory.mktemp("grdf"))


def decoder_of(world: Any, **changes: Any) -> Any:
    """Return the decoder of the ready-made source, changed."""
    source = world.sources["grdf_gas"].model_copy(update=changes)
    codes = {code: number for number, code in enumerate(world.event_types, 1)}
    return make_decoder(DecodeContext("acme", source, world.event_types, codes, world.units, {"": 0}, SECRET))


def outcomes(decoder: Any, data: str) -> list[tuple[Reason, int, str]]:
    """Return (reason, quantity, description) of each record."""
    check_file(decoder, io.BytesIO(data.encode()))
    found = []
    for block in decode_blocks(decoder, io.BytesIO(data.encode()), claim=1):
        for row in range(len(block)):
            reason = Reason(int(block.reason[row]))
            found.append((reason, int(block.quantity[row]), describe(decoder, block, row) if reason else ""))
    return found


@pytest.mark.parametrize(("name", "count"), ENERGIES.items(), ids=lambda value: Path(str(value)).stem)
def test_every_energy_of_a_sample_is_what_the_twin_reads(gas: Path, name: str, count: int) -> None:
    text = (gas / name).read_text()
    found = rows_of(text)
    assert len(found) == count
    assert [{name: text for name, text in row.items() if name != "line"} for row in found] == read_twin(text)
    lines = text.splitlines()
    for row in found:
        assert set(row) <= set(columns_of("quantities"))
        if row["nature"] == "R":
            RECORDS["quantities"].model_validate(row)
        assert "{" in lines[int(row["line"]) - 1]


def test_the_figures_of_the_portal(gas: Path) -> None:
    """10 557 m3 are 117 744 kWh; each period begins where the one before ended, at 06:00 in Paris in winter and in summer."""
    rows = rows_of((gas / "pygazpar/donnees_publiees.json").read_text())
    assert sum(Decimal(row["volume"]) for row in rows) == 10_557
    assert sum(Decimal(row["value"]) for row in rows) == 117_744_000
    assert {row["start"][11:] for row in rows} == {"04:00:00Z", "05:00:00Z"}
    assert [row["value"] for row in rows[:4]] == ["22417000", "5258000", "16546000", "4174000"]
    assert sum(row["value"] != row["computed"] for row in rows) <= 4
    assert not [row for row in rows if "warning" in row]
    readings = rows_of((gas / "pygazpar/donnees_publiees.json").read_text(), "readings")
    assert len(readings) == 2 * 87
    for row, begin, end in zip(rows, readings[::2], readings[1::2], strict=True):
        assert (begin["at"], end["at"]) == (row["start"], row["end"])
        assert {begin["unit"], end["unit"], begin["publication"]} == {"m3", "published"}
    # 82 of the differences of indexes are the volume; the others are periods that the distributor cut
    whole = [row for row, a, b in zip(rows, readings[::2], readings[1::2], strict=True)
             if Decimal(b["value"]) - Decimal(a["value"]) == Decimal(row["volume"])]  # fmt: skip
    assert len(whole) > 80


def test_readings_and_states_of_adict(gas: Path) -> None:
    readings = rows_of((gas / PUBLISHED).read_text(), "readings")
    assert [(row["at"], row["dial"], row["value"], row["unit"], row.get("reason")) for row in readings] == [
        ("2021-01-01T05:00:00Z", "raw", "771", "m3", None), ("2021-01-23T05:00:00Z", "raw", "951", "m3", "RNO"),
    ]  # fmt: skip
    (contract,) = rows_of((gas / "lowatt_grdf/adict_v2_donnees_contractuelles.ndjson").read_text(), "events")
    assert contract == {
        "flow": "ADICT", "point": "23000000000000", "line": "1", "version": "0", "at": "2020-12-07T05:00:00Z", "kind": "STATE",
        "nature": "donnees_contractuelles", "category": "CONTRAT", "in_service_on": "2020-12-07", "tariff": "T2",
        "profile": "P012", "annual_wh": "9426000", "daily_wh": "0",
    }  # fmt: skip
    text = (gas / "lowatt_grdf/adict_v2_donnees_techniques.ndjson").read_text()
    (technical,) = rows_of(text, "events")
    assert (technical["frequency"], technical["exit_point"], technical.get("at")) == ("1M", "GD9999", None)
    for row in (contract, technical):
        RECORDS["events"].model_validate(row)
    assert not [word for word in ("LAMBDA", "99099", "DUMMYVILLE") if word in repr(technical)]


def test_an_injection_is_production() -> None:
    """Verified against generated data only: there is no public sample."""
    (row,) = rows_of(answer(holder="injection"))
    assert (row["direction"], row["value"], row["publication"]) == ("production", "2032000", "published")


def answer(energy: Any = 2032, holder: str = "consommation", status: Any = None, **changes: Any) -> str:
    """Return an answer with an energy."""
    found = {
        "date_debut_consommation": "2021-01-01T06:00:00+01:00", "date_fin_consommation": "2021-01-23T06:00:00+01:00",
        "volume_brut": 180, "coeff_calcul": {"coeff_conversion": 11.29}, "volume_converti": 0, "energie": energy,
        "type_qualif_conso": "Mesuré", "sens_flux_gaz": "Consommation", "statut_conso": "Définitive", "type_conso": "Publiée",
    } | changes  # fmt: skip
    document = {"pce": {"id_pce": "23000000000000"}, holder: found, "statut_restitution": status}
    return json.dumps(document, ensure_ascii=False) + "\n"


# ---- informative data are never billed


@given(
    kinds=st.lists(st.sampled_from(["Informative Journalier", "informative", "Publiée", "PubliÃ©e", None, "", "Autre"]), max_size=5),
    kind=st.sampled_from(["quantities", "readings"]),
    filtered=st.booleans(),
)  # fmt: skip
def test_nothing_but_published_data_is_ever_usage(
    world: Any, kinds: list[Any], kind: RecordKind, filtered: bool
) -> None:
    """A law: whatever the mapping says. An unknown kind of data waits for somebody to look at it."""
    mapping = world.sources["grdf_gas"].mapping
    if not filtered:
        mapping = mapping.model_copy(update={"filters": (), "required": ()})
    if kind == "readings":
        time, quantity = mapping.time.model_copy(update={"field": "at"}), mapping.quantity
        mapping = mapping.model_copy(
            update={"identity": ("point", "at"), "time": time, "values": {}, "required": (),
                    "quantity": quantity.model_copy(update={"field": "value", "unit": "Wh"})}
        )  # fmt: skip
    ends = {
        "releve_fin": {"index_brut_fin": {"valeur_index": 951, "horodate_Index": "2021-01-23T06:00:00+01:00"}},
    }
    data = "".join(
        json.dumps(json.loads(answer(type_conso=said)) | (ends if kind == "readings" else {})) + "\n" for said in kinds
    )
    found = outcomes(decoder_of(world, records=kind, mapping=mapping), data)
    published = {"Publiée": Reason.NONE, "PubliÃ©e": Reason.NONE, "Autre": Reason.DOUBTFUL_READING}
    assert [reason for reason, _, _ in found] == [published.get(said, Reason.FILTERED_BY_SOURCE) for said in kinds]


def test_every_informative_record_of_the_samples_is_filtered(gas: Path, world: Any) -> None:
    for name in ("pygazpar/donnees_informatives.json", DAILY):
        found = outcomes(decoder_of(world), (gas / name).read_text())
        assert {(reason, told.partition(": ")[2]) for reason, _, told in found} == {
            (Reason.FILTERED_BY_SOURCE, "informative data are never billed")
        }
        assert len(found) == ENERGIES[name]


def test_what_was_corrected_by_hand_is_read_again_and_still_not_billed_when_informative(world: Any) -> None:
    decoder = decoder_of(world)
    data = answer(type_conso="Autre") + answer(energy="12a")
    (block,) = decode_blocks(decoder, io.BytesIO(data.encode()), claim=1)
    records = [json.loads(raw_record(block, row)) for row in range(2)]
    again = [record | {"doubt": "", "net": "7000"} for record in records]
    found = outcomes(decoder, json.dumps({"quantities": again}))
    assert [reason for reason, _, _ in found] == [Reason.FILTERED_BY_SOURCE, Reason.NONE]
    assert found[1][1] == 7_000_000


# ---- the distributor's energy is billed, its check only warns


@pytest.mark.parametrize(
    ("energy", "warned"), [(2032, False), (2033, False), (2031, False), (2034, True), (0, True), (-2032, True)]
)
def test_the_energy_of_the_distributor_is_billed_whatever_the_conversion_says(
    world: Any, energy: int, warned: bool
) -> None:
    (row,) = rows_of(answer(energy))
    assert (row["value"], row["computed"], "warning" in row) == (str(energy * 1000), "2032000", warned)
    ((reason, quantity, _),) = outcomes(decoder_of(world), answer(energy))
    assert (reason, quantity) == (Reason.NONE, energy * 1_000_000)


def test_what_is_odd_is_said_and_what_is_an_error_is_refused(world: Any) -> None:
    (off,) = rows_of(answer(date_debut_consommation="2021-01-01T00:00:00+01:00"))
    assert off["warning"] == "2020-12-31T23:00:00Z to 2021-01-23T05:00:00Z are no gas days"
    (day,) = rows_of(answer(journee_gaziere="2021-01-02"))
    assert day["warning"] == "the gas day 2021-01-02 does not begin at 2021-01-01T05:00:00Z"
    (converted,) = rows_of(answer(volume_converti=181))
    assert (converted["volume"], converted["computed"]) == ("181", "2043000")
    (rolled,) = [row for row in rows_of(json.dumps(json.loads(answer(flag_retour_zero=True)) | {
        "releve_debut": {"index_brut_debut": {"valeur_index": 99_900, "horodate_Index": "2021-01-01T06:00:00+01:00"}},
        "releve_fin": {"index_brut_fin": {"valeur_index": 80, "horodate_Index": "2021-01-23T06:00:00+01:00"}},
    }), "readings") if "rolls_over_at" in row]  # fmt: skip
    assert rolled["rolls_over_at"] == "100000"
    told = {"code": "1000008", "message": "Il n'y a pas de droit d'accès"}
    ((reason, _, said),) = outcomes(decoder_of(world), answer(None, status=told, type_conso=None))
    assert reason == Reason.DOUBTFUL_READING
    assert said == "line 1: statut_restitution is 1000008 Il n'y a pas de droit d'accès"
    ((reason, _, said),) = outcomes(decoder_of(world), answer(None))
    assert (reason, said) == (Reason.FIELD_MISSING, "line 1: empty: net")


REFUSED = [
    ("MALFORMED_JSON", "quantities", answer()[:-3], "line 1"),
    ("MALFORMED_JSON", "quantities", answer() + '{"pce": {"id_pce" 1}}', "line 2"),
    ("WRONG_FLOW", "quantities", '{"pce": {}, "donnees_contractuelles": {}}', "an answer with donnees_contractuelles"),
    ("WRONG_FLOW", "events", answer(), "an answer with consommation"),
    ("WRONG_FLOW", "quantities", '{"id_droit_acces": "1"}', "a document without any data"),
    ("WRONG_FLOW", "events", '{"22423299474865": {"releves": [{}]}}', "readings of the portal"),
    ("WRONG_FLOW", "quantities", '{"22423299474865": {"idPce": 1}}', "has no array releves"),
    ("WRONG_FLOW", "quantities", "num_pce;energie\n", "no `table`"),
    ("MALFORMED_JSON", "quantities", '{"22423299474865": {"releves": [1]}}', "no object"),
    ("WRONG_ENCODING", "quantities", answer().encode("utf-16"), "UTF-16"),
    ("WRONG_ENCODING", "quantities", answer().encode("utf-16-le"), "UTF-16"),
    ("WRONG_ENCODING", "quantities", answer().encode("latin-1"), "not UTF-8"),
]


@pytest.mark.parametrize(
    ("code", "kind", "data", "told"), REFUSED, ids=[f"{n}-{item[0]}" for n, item in enumerate(REFUSED)]
)
def test_a_file_that_cannot_be_read_is_refused(code: str, kind: RecordKind, data: Any, told: str) -> None:
    with pytest.raises(UnableToDecodeFile) as failure:
        rows_of(data, kind)
    assert (failure.value.code, told in failure.value.message) == (code, True), failure.value.message


@pytest.mark.parametrize("data", [b"", b" \n", b"\xef\xbb\xbf", b"[]"])
def test_an_empty_file_has_no_records(data: bytes) -> None:
    assert rows_of(data) == []


def test_answers_come_in_an_array_as_well() -> None:
    assert len(rows_of(f"[{answer()},\n{answer()}]")) == 2


class Endless(io.RawIOBase):
    """A file that is never there as a whole."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._rest = self._rest or next(self._pieces, b"")
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


def _portal_pieces(count: int) -> Iterator[bytes]:
    item = json.dumps({"dateDebutReleve": "2021-01-01T06:00:00+00:00", "natureReleve": "Publiée", "energieConsomme": 1})
    yield b'{"22423299474865": {"releves": ['
    yield from ((item + ",").encode() * 100 for _ in range(count))
    yield item.encode() + b"]}}"


def test_memory_does_not_grow_with_the_file() -> None:
    peaks = []
    for count in (10, 60):
        tracemalloc.start()
        read = sum(1 for _ in read_rows(cast(BinaryIO, Endless(_portal_pieces(count))), "quantities"))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert read == 100 * count + 1
    assert peaks[1] < peaks[0] + 100_000


# ---- delimited files (OMEGA): verified against generated data only


TABLE = GrdfTable.model_validate(
    {
        "columns": {"point": "num_pce", "start": "date_debut_consommation", "end": "date_fin", "energy": "energie",
                    "volume": "volume_brut", "converted": "volume_converti", "status": "statut", "publication": "arf_type_releve"},
        "statuses": {"ANN": "A"}, "published": ["JJ", "MM"],
    }
)  # fmt: skip
OMEGA = (
    "\ufeffnum_pce;arf_type_releve;date_debut_consommation;date_fin;volume_brut;volume_converti;energie;statut\r\n"
    "GI123456;JJ;25/10/2026 06:00;26/10/2026 06:00;1 000;100,5;1134,25;\r\n"
    "23000000000000;INFO;01/07/2026 06:00;02/07/2026 06:00;10;;112;\r\n"
    '23000000000000;MM;01/07/2026 06:00;"01/08/2026 06:00";10;;112;ANN\r\n'
    "23000000000000;MM;32/07/2026 06:00\r\n"
)


def test_a_table_names_the_columns_of_delimited_files(world: Any) -> None:
    first, info, annulled, short = rows_of(OMEGA, table=TABLE)
    assert first == {
        "flow": "OMEGA", "point": "GI123456", "line": "2", "version": "0", "status": "I", "direction": "consumption",
        "start": "2026-10-25T05:00:00Z", "end": "2026-10-26T05:00:00Z", "measure": "consumption", "unit": "Wh",
        "value": "1134250", "net": "1134250", "volume": "100.5", "publication": "published",
    }  # fmt: skip
    assert (info["publication"], annulled["net"], annulled["version"], short["start"]) == (
        "informative", "0", "1", "32/07/2026 06:00",
    )  # fmt: skip
    reasons = [reason for reason, _, _ in outcomes(decoder_of(world, table=TABLE), OMEGA)]
    assert reasons == [Reason.NONE, Reason.FILTERED_BY_SOURCE, Reason.NONE, Reason.FIELD_MISSING]
    with pytest.raises(UnableToDecodeFile) as failure:
        rows_of(OMEGA.replace("energie", "kwh"), table=TABLE)
    assert (failure.value.code, "no column 'energie'; it has" in failure.value.message) == ("MISSING_COLUMN", True)
    with pytest.raises(UnableToDecodeFile) as failure:
        rows_of(OMEGA.partition("\n")[2], table=TABLE)
    assert (failure.value.code, "GI123456" in failure.value.message) == ("MISSING_COLUMN", False)  # a customer's line


@pytest.mark.parametrize(
    ("pattern", "text", "instant"),
    [
        ("DD/MM/YYYY hh:mm", "01/01/2026 06:00", "2026-01-01T05:00:00Z"),
        ("YYYY-MM-DD'T'hh:mm:ssZ", "2026-07-01T06:00:00+02:00", "2026-07-01T04:00:00Z"),
        ("D.M.YY", "1.7.26", "2026-06-30T22:00:00Z"),
        ("DD/MM/YYYY hh:mm", "31/02/2026 06:00", "31/02/2026 06:00"),
    ],
)
def test_instants_of_tables_have_a_pattern(pattern: str, text: str, instant: str) -> None:
    from pipelines.mediation.grdf.table import instant_reader

    assert instant_reader(pattern)(text) == instant
