"""Ready-made sources on real and self-made files: every field as another reader reads it, and what becomes of every record."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cli_octroi import octroi, query
from mediation_enedis import read_twin
from mediation_enedis_large import read_large
from mediation_grdf import read_twin as read_gas_twin
from mediation_world import SECRET
from meter_twin import read_meter_twin
from template_world import load

from billing.catalog.store import load_catalog
from billing.catalog.templates import find_template, source_templates
from pipelines.mediation.context import DecodeContext
from pipelines.mediation.decode import check_file, decode_blocks, make_decoder
from pipelines.mediation.explain import field_value
from schemas.source import SourceBase

NAMES = [template.name for template in source_templates()]
ENEDIS = "../energy/fr_enedis_samples"
GAS = "../energy/fr_gas"
SAMPLES = {
    "asterisk": "sip_cdr/own_asterisk_master.csv",
    "freeswitch_csv": "sip_cdr/own_freeswitch_cdr.csv",
    "freeswitch_json": "sip_cdr/own_freeswitch_cdr.json",
    "focus_1_0": "cloud/focus_1.0_sample.csv",
    "kamailio_acc": "sip_cdr/own_kamailio_acc.jsonl",
    "iot_mqtt": "iot/own_iot_events.jsonl",
    "iot_lwm2m": "iot/own_iot_events.jsonl",
    "enedis_indexes": f"{ENEDIS}/electricore/c15_avec_releves.xml",
    "enedis_r15": f"{ENEDIS}/electricore/r15.xml",
    "enedis_r15_operations": f"{ENEDIS}/electricore/r15.xml",
    "enedis_differences": f"{ENEDIS}/electricore/r15.xml",
    "enedis_r67": f"{ENEDIS}/electricore/r67.json",
    "enedis_r50": f"{ENEDIS}/sge_tiers/CommandeCollectePublicationMesures/C5-CDC/R50.xml",
    "enedis_c15": f"{ENEDIS}/electricore/c15_avec_releves.xml",
    "enedis_f15": f"{ENEDIS}/electricore/f15.xml",
    "enedis_curves": f"{ENEDIS}/sge_tiers/CommandeCollectePublicationMesures/C4-CDC/R4Q.xml",
    "green_button": "../energy/greenbutton/TestGBDataHourlyNineDaysBinnedDaily.xml",
    "mscons": "../energy/mscons/msconsconverter/MSCONS_TL_SAMPLE01.txt",
    "dsmr_p1": "../energy/be_nl/dsmr_telegram_fluvius_v171.txt",
    "grdf_gas": f"{GAS}/lowatt_grdf/adict_v2_donnees_consos_publiees.ndjson",
}
DAY = ",".join(f"0.{value:03}" for value in range(47))
NEM12 = (
    "100,NEM12,202601160102,MDP,RETAILER\r\n200,NEM1200000,E1B1,E1,E1,N1,M1,kWh,30,\r\n"
    f"300,20260115,{DAY},.5,V,,,20260116000000,\r\n400,1,40,A,,\r\n400,41,47,F52,89,broken\r\n400,48,48,N,,\r\n"
    f"200,NEM1200000,E1B1,B1,B1,N1,M1,Wh,30,\r\n300,20260115,{DAY},1,A,,,20260116000000,\r\n500,O,1,20260116000000,\r\n900\r\n"
)
NEM13 = (
    "100,NEM13,202601160102,MDP,RETAILER\n"
    "250,NEM1300000,11,1,11,11,M1,E,99990.0,20260101093000,A,,,00010.0,20260115093000,A,,,20.0,kWh,,20260116000000,\n550,N,,A,\n900\n"
)
WRITTEN = {
    "enedis_r17": (
        "<Index_C2_C3_C4><Corps_PRM><Num_Sous_Lot>1</Num_Sous_Lot><Donnees_Releve><Id_PRM>1</Id_PRM></Donnees_Releve></Corps_PRM>"
        "</Index_C2_C3_C4>"
    ),
    "nem12": NEM12,
    "nem13": NEM13,
    "fluvius": (
        "Van (datum);Van (tijdstip);Tot (datum);Tot (tijdstip);EAN-code;Meter;Metertype;Register;Volume;Eenheid;Validatiestatus\n"
        '15-01-2026;00:00:00;15-01-2026;00:15:00;="541448800000000001";1SAG1;Digitale meter;Afname Nacht;0,125;kWh;Gevalideerd\n'
        '15-01-2026;00:00:00;15-01-2026;00:15:00;="541448800000000001";1SAG1;Digitale meter;Injectie Nacht;0,5;kWh;Gevalideerd\n'
        '15-01-2026;00:15:00;15-01-2026;00:30:00;="541448800000000001";1SAG1;Digitale meter;Afname Nacht;;kWh;Geen verbruik\n'
        '15-01-2026;00:00:00;15-01-2026;01:00:00;="541448800000000002";7FLO2;Gasmeter;Afname;1,25;m3;Geschat\n'
    ),
    "enel": "Giorno;" + ";".join(f"{n // 4:02}:{n % 4 * 15:02}-{(n + 1) // 4:02}:{(n + 1) % 4 * 15:02}" for n in range(96)) + "\n15/01/2026;"
    + ";".join(f"0,{n:03}" for n in range(96)) + "\n",
    "homewizard": (
        "time,Import T1 kWh,Import T2 kWh,Export T1 kWh,Export T2 kWh\n"
        "2026-01-15 00:00,100.5,200,0,3.25\n2026-01-15 00:15,100.625,200,0,3.25\n"
    ),
    "kamailio_cdrs": (
        '{"start_time":"2026-01-15 18:58:30","end_time":"2026-01-15 19:02:30","duration":"240.250","callid":"f0b5@198.51.100.7",'
        '"from_tag":"as6f","to_tag":"gK0c","src_user":"0612345678","dst_user":"441632960001"}\n'
    ),
    "cloudevents": (
        '[{"specversion":"1.0","id":"1","source":"/a","type":"com.example.requests","subject":"p-1",\n'
        ' "time":"2026-01-15T18:58:30Z","data":{"quantity":3}},\n'
        ' {"specversion":"1.0","id":"1","source":"/a","type":"com.example.requests","subject":"p-1",'
        '"time":"2026-01-15T18:58:30Z","data":{"quantity":3}}, {"id":"2"}]'
    ),
    "opencell_cdr": (
        '2026-01-15T18:58:30.000Z;100;A1;UNIT\n'
        '2026-01-15T18:58:30.000Z;100;A1;UNIT;;;\n'  # the same, with empty fields at its end
        '2026-01-15T19:58:30+0100;1.0000000005;A1;USAGE;25000;"x;;;;;2026-01-01T00:00:00Z;;;;;1.5;;;;;free; text; and "more"\n'
        "2026-01-15T18:58:30;100;A1;UNIT\n"  # no zone
        "2026-01-15 18:58:30Z;100;A1;UNIT\n"  # not one of the two forms
        "2026-01-15T18:58:30Z;-100;A1;UNIT\n"
        "2026-01-15T18:58:31Z;0;A1;UNIT\n"
        "2026-01-15T18:58:32Z;100;;UNIT\n"  # whose?
        "2026-01-15T18:58:32Z;100;A1;\n"
        "2026-01-15T18:58:32Z;100;A1\n"
    ),
    "oracle_flat": (
        "TEL;0612345678;00441632960001;20260115195830;240;0;0;P;cell-1;\n"
        "GPRS;0612345678;;20260115200000;0;1000;2000;P;cell-1;internet\n"
        "TEL;0612345678;0044163296;2026-01-15;240\n"
    ),
}  # fmt: skip
EVENT_AT = "2026-01-15 18:58:30"
EXPECTED: dict[str, tuple[dict[str, int], list[tuple[str, str, float]], dict[str, int]]] = {
    # outcomes that are not 0; EDRs: access point, event time, quantity; reasons
    "asterisk": ({"received": 3, "accepted": 1, "filtered": 1, "duplicate": 1}, [("33612345678", EVENT_AT, 240)], {}),
    "freeswitch_csv": ({"received": 2, "accepted": 1, "filtered": 1}, [("33612345678", EVENT_AT, 240)], {}),
    "freeswitch_json": ({"received": 1, "accepted": 1}, [("33612345678", EVENT_AT, 240)], {}),
    "kamailio_acc": ({"received": 2, "accepted": 1, "absorbed": 1}, [("33612345678", EVENT_AT, 240)], {}),
    "kamailio_cdrs": ({"received": 1, "accepted": 1}, [("33612345678", EVENT_AT, 240.25)], {}),
    "oracle_flat": (
        {"received": 3, "accepted": 1, "filtered": 1, "rejected": 1},
        [("33612345678", EVENT_AT, 240)],
        {"INVALID_TIMESTAMP": 1},
    ),
    "cloudevents": (
        {"received": 3, "accepted": 1, "duplicate": 1, "rejected": 1},
        [("p-1", EVENT_AT, 3)],
        {"FIELD_MISSING": 1},
    ),
    "opencell_cdr": (
        {"received": 10, "accepted": 3, "duplicate": 1, "rejected": 6},
        [("A1", EVENT_AT, 100), ("A1", EVENT_AT, 1.000000001), ("A1", "2026-01-15 18:58:31", 0)],
        {
            "INVALID_TIMESTAMP": 2,
            "NEGATIVE_QUANTITY": 1,
            "FIELD_MISSING": 2,
            "FIELD_COUNT": 1,
        },
    ),
    "iot_mqtt": (
        {"received": 4, "accepted": 1, "duplicate": 1, "filtered": 2},
        [("IOT_NS542", "2026-04-14 09:00:00", 212)],
        {},
    ),
    "iot_lwm2m": ({"received": 4, "absorbed": 1, "filtered": 3}, [], {}),
    "enedis_r15": (
        {"received": 2, "accepted": 1, "filtered": 1},
        [("99147508449444", "2024-06-30 22:00:00", 101)],
        {},
    ),
    # two indexes of the supplier's grid: one opens the series, the other one, after the change, opens it anew
    "enedis_indexes": ({"received": 7, "absorbed": 2, "filtered": 5}, [], {}),
    "nem13": ({"received": 2, "accepted": 1, "absorbed": 1}, [("NEM1300000", "2025-12-31 23:30:00", 20)], {}),
    "fluvius": (
        {"received": 4, "accepted": 1, "filtered": 3},
        [("541448800000000001", "2026-01-14 23:00:00", 0.125)],
        {},
    ),
    "homewizard": (
        {"received": 8, "accepted": 2, "absorbed": 2, "filtered": 4},
        [("home", "2026-01-14 23:00:00", 0.125), ("home", "2026-01-14 23:00:00", 0)],
        {},
    ),
    "enedis_c15": ({"received": 1, "accepted": 1}, [("99660599682036", "2024-10-03 22:01:00", 1)], {}),
    "enedis_f15": ({"received": 1, "accepted": 1}, [("99510061232830", "2025-01-16 23:00:00", -48)], {}),
}


@dataclass(frozen=True)
class Feed:
    """A template, and a file of its kind."""

    name: str
    data: bytes


@pytest.fixture(params=NAMES)
def feed(request: pytest.FixtureRequest, samples: Path) -> Feed:
    """Return each template with its file."""
    name: str = request.param
    data = WRITTEN[name].encode() if name in WRITTEN else (samples / "telco" / SAMPLES[name]).read_bytes()
    return Feed(name, data)


def source_reading(catalog: Any, source: SourceBase, fields: tuple[str, ...]) -> Any:
    """Return a decoder of the same source that reads `fields`, as they are written."""
    mapping = source.mapping.model_copy(update={"converters": {}, "identity": fields, "required": (), "filters": ()})  # type: ignore[attr-defined]
    if source.format == "cloudevents":
        mapping = mapping.model_copy(update={"identity": ("source", "id"), "required": fields})
    whole = {"cut_minutes": None} if hasattr(source, "cut_minutes") else {}  # what the file says
    changed = source.model_copy(update={"mapping": mapping} | whole)
    codes = {code: number for number, code in enumerate(catalog.event_types, 1)}
    return make_decoder(DecodeContext("acme", changed, catalog.event_types, codes, catalog.units, {"": 0}, SECRET))


def flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path, text) of everything in a JSON value that a field can hold."""
    if isinstance(value, dict):
        for key, inside in value.items():
            yield from flat(inside, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for number, inside in enumerate(value):
            yield from flat(inside, f"{path}.{number}" if path else str(number))
    else:
        yield path, value if isinstance(value, str) else json.dumps(value)


def read_otherwise(source: Any, data: bytes) -> list[dict[str, str]]:
    """Return the records of a file as csv or json read them, by field."""
    if source.format == "enedis":
        if source.code == "enedis_r17":
            return []  # of a reading without quantities
        return (read_large if b"<Courbe>" in data[:200] else read_twin)(data, source.records)
    if source.format == "meter_data":
        return read_meter_twin(source, data)
    if source.format == "grdf":
        return read_gas_twin(data.decode())
    text = data.decode()
    if source.format == "delimited":
        quoting: Any = csv.QUOTE_NONE if source.quoting == "none" else csv.QUOTE_MINIMAL
        rows = list(csv.reader(io.StringIO(text), delimiter=source.delimiter, quoting=quoting))
        columns = source.columns or tuple(rows.pop(0))
        last = len(columns) - 1
        if source.rest:
            rows = [[*row[:last], *([source.delimiter.join(row[last:])] if len(row) > last else [])] for row in rows]
        empty = {source.null, None}
        return [{name: "" if (value := dict(zip(columns, row, strict=False)).get(name)) in empty else value or ""
                 for name in columns} for row in rows]  # fmt: skip
    documents = json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines() if line]
    return [{path: value for path, value in flat(document) if "." in path or path} for document in documents]


def test_every_template_is_a_catalog_of_its_own(feed: Feed, tmp_path: Path) -> None:
    catalog = load(feed.name, tmp_path)
    assert catalog.sources.keys() - {"enedis_readings"} == {feed.name}  # whose indexes enedis_differences states
    assert find_template(feed.name).text.startswith("#")
    assert {feed.name} <= SAMPLES.keys() | WRITTEN.keys()


def test_every_field_of_every_record_is_what_another_reader_reads(feed: Feed, tmp_path: Path) -> None:
    catalog = load(feed.name, tmp_path)
    source = catalog.sources[feed.name]
    records = read_otherwise(source, feed.data)
    names = tuple(dict.fromkeys(name for record in records for name in record))
    compared = 0
    for first in range(0, len(names), 32):
        fields = names[first : first + 32]
        decoder = source_reading(catalog, source, fields)
        check_file(decoder, io.BytesIO(feed.data))
        row = 0
        for block in decode_blocks(decoder, io.BytesIO(feed.data), claim=1):
            for i in range(len(block)):
                wanted = records[row]
                row += 1
                if block.reason[i] == 5:  # a record of too few fields has none
                    continue
                for slot, name in enumerate(decoder.field_names):
                    if name in fields:
                        assert field_value(block, slot, i).decode() == wanted.get(name, ""), (row, name)  # type: ignore[arg-type]
                        compared += 1
        assert row == len(records)
    assert compared >= len(names) * (len(records) - 1)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_every_record_ends_as_it_must(name: str, samples: Path, tmp_path: Path) -> None:
    data = WRITTEN[name].encode() if name in WRITTEN else (samples / "telco" / SAMPLES[name]).read_bytes()
    outcomes, edrs, reasons = EXPECTED[name]
    points = sorted({point for point, _, _ in edrs} or {"urn:imei:356938035643809", "99660599682036"})
    directory = tmp_path / "data"
    load(name, directory / "catalog", points)
    (tmp_path / "file").write_bytes(data)
    report = octroi("ingest", tmp_path / "file", "--source", name, "--data", directory, "--json").ok().json
    counted = {
        key: value for key, value in report["totals"].items() if value and key not in ("edrs", "rated", "unrated")
    }
    assert counted == outcomes
    rows = query(directory, "SELECT event_at, quantity, access_point FROM edr ORDER BY event_at, id")
    found = [(row["access_point"], str(row["event_at"])[:19].replace("T", " "), float(row["quantity"])) for row in rows]
    assert found == edrs
    listed = octroi("rejects", "list", "--data", directory, "--json").json if reasons else {"by_reason": []}
    assert {row["reason"]: row["rejections"] for row in listed["by_reason"]} == reasons


def test_focus_rows_end_as_csv_says(samples: Path, tmp_path: Path) -> None:
    data = (samples / "telco" / SAMPLES["focus_1_0"]).read_bytes()
    source = load("focus_1_0", tmp_path / "alone").sources["focus_1_0"]
    rows = read_otherwise(source, data)
    points = sorted({row["SubAccountId"] for row in rows})
    directory = tmp_path / "data"
    load("focus_1_0", directory / "catalog", points)
    (tmp_path / "file").write_bytes(data)
    report = octroi("ingest", tmp_path / "file", "--source", "focus_1_0", "--data", directory, "--json").ok().json
    usage = [row for row in rows if row["ChargeCategory"] == "Usage"]
    known = [row for row in usage if row["ConsumedUnit"] in source.mapping.event_type.values]
    names = source.mapping.identity
    usable = [row for row in known if Decimal(row["ConsumedQuantity"]) >= 0]
    keys = {tuple(row[name] for name in names) for row in usable}
    totals = report["totals"]
    assert totals["received"] == len(rows)
    assert totals["filtered"] == len(rows) - len(usage)
    assert totals["accepted"] == len(keys)
    assert totals["duplicate"] == len(usable) - len(keys)
    listed = octroi("rejects", "list", "--data", directory, "--json").ok().json["by_reason"]
    assert {row["reason"]: row["rejections"] for row in listed} == {
        "NEGATIVE_QUANTITY": len(known) - len(usable),
        "UNKNOWN_EVENT_TYPE": len(usage) - len(known),
    }
    sums: dict[str, Decimal] = {}
    for row in usable:
        event_type = source.mapping.event_type.values[row["ConsumedUnit"]]
        sums[event_type] = sums.get(event_type, Decimal(0)) + Decimal(row["ConsumedQuantity"])
    stored = query(directory, "SELECT event_type, sum(quantity_steps) AS steps FROM edr GROUP BY event_type")
    units = load_catalog(directory / "catalog").units
    types = load_catalog(directory / "catalog").event_types
    assert {row["event_type"]: int(row["steps"]) for row in stored} == {
        code: total * units[types[code].unit].step_count for code, total in sums.items()
    }


def test_the_command_lists_and_prints_them() -> None:
    listed = octroi("sources", "template", "--json").ok().json
    assert [row["name"] for row in listed] == NAMES
    assert all(row["about"] for row in listed)
    assert octroi("sources", "template", "asterisk").ok().out == find_template("asterisk").text
    assert octroi("sources", "template", "asterisk", "--json").ok().json["text"] == find_template("asterisk").text
    assert "asterisk" in octroi("sources", "template").ok().out
    told = octroi("sources", "template", "nothing")
    assert told.code == 2
    assert "there are asterisk, cloudevents" in told.err


def test_the_catalog_page_names_them_all() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "catalog.md").read_text()
    section = page.split("### Ready-made sources", 1)[1].split("\n### ", 1)[0]
    assert [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("|")][2:] == NAMES
