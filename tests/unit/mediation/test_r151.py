"""R151: files that are refused whole, elements out of place, many small records, and the public sample."""

from __future__ import annotations

from pathlib import Path

import pytest
from mediation_r151 import DISTRIBUTOR, HEAD, POWER, Day, Index, Prm, comparable, decode_twin, document, prm_xml
from mediation_world import decode, event_at, quantity, r151, raws, reasons

from pipelines.mediation.enedis import r151 as r151_decoder
from pipelines.mediation.enedis.r151 import R151Splitter
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.kernels import r151 as kernel
from schemas.rejection import Reason

DAY_XML = prm_xml(Prm()).partition("</Id_PRM>")[2].removesuffix("</PRM>")
BOMB = "<!DOCTYPE R151 [<!ENTITY a 'ha'>" + "".join(f"<!ENTITY b{n} '&a;&a;&a;&a;&a;&a;'>" for n in range(9)) + "]>"

REFUSED: list[tuple[str, bytes]] = [
    ("MALFORMED_XML", document(Prm())[:-4]),
    ("MALFORMED_XML", document(Prm())[:-60]),
    ("MALFORMED_XML", document(Prm(), "<PRM><Id_PRM>1</PRM>")),
    ("MALFORMED_XML", document(Prm(), "&unknown;")),
    ("MALFORMED_XML", document(Prm()) + b"<more/>"),
    ("MALFORMED_XML", document(Prm()).replace(b"HP", b"H\x00P")),
    ("MALFORMED_XML", document(Prm()).replace(b"HP", b"H\xffP")),
    ("MALFORMED_XML", b"id;at\n1;2\n"),
    ("MALFORMED_XML", document(Prm()).replace(b"<R151 ", BOMB.encode() + b"<R151 ")),
    ("MALFORMED_XML", document(Prm()).replace(b"<R151 ", b"<!DOCTYPE R151 SYSTEM 'http://example.org/x.dtd'><R151 ")),
    ("MALFORMED_XML", document(Prm(), encoding="US-ASCII").replace(b"HP", b"H\xe9")),
    ("WRONG_ENCODING", document(Prm(), encoding="UTF-16")),
    ("WRONG_ENCODING", document(Prm()).decode().encode("utf-16-le")),
    ("WRONG_ENCODING", document(Prm()).decode().encode("utf-32-be")),
    ("WRONG_ENCODING", document(Prm()).replace(b"UTF-8", b"IBM1047")),
    ("WRONG_FLOW", document(Prm()).replace(b"R151 xmlns:x='urn:x'", b"R15").replace(b"/R151>\n", b"/R15>")),
    ("WRONG_FLOW", document(Prm(), head=HEAD.replace(">R151<", ">R50<"))),
    ("WRONG_FLOW", document(Prm(), head="")),
    ("WRONG_UNIT", document(Prm(), head=HEAD.replace(">Wh<", ">kWh<"))),
    ("WRONG_UNIT", document(Prm(), head="<En_Tete_Flux><Identifiant_Flux>R151</Identifiant_Flux></En_Tete_Flux>")),
    # usage where no reader of this flow looks for it must not pass unseen
    ("WRONG_FLOW", document("<Lot>" + prm_xml(Prm()) + "</Lot>")),
    ("WRONG_FLOW", document(Prm(), "<Lot>" + prm_xml(Prm()) + "</Lot>", Prm())),
    ("WRONG_FLOW", document(Prm(), "<Lot a='/>'>" + prm_xml(Prm()) + "</Lot>", Prm())),
    ("WRONG_FLOW", document(Prm(), "<Lot a='/>'>" + prm_xml(Prm()) + "</Lot>")),
    ("WRONG_FLOW", document("<PRM>" + prm_xml(Prm()) + "</PRM>")),
    ("WRONG_FLOW", document(Prm(), DAY_XML, Prm())),
    ("WRONG_FLOW", document(f"<PRM><Id_PRM>1</Id_PRM><Grille>{DAY_XML}</Grille></PRM>")),
    ("WRONG_FLOW", document("<PRM><Id_PRM>1</Id_PRM><Classe_Temporelle/></PRM>")),
    ("WRONG_FLOW", document(prm_xml(Prm()).replace("<Classe", "<G><Classe").replace("</Donnees", "</G></Donnees"))),
]  # fmt: skip


@pytest.mark.parametrize(("code", "data"), REFUSED, ids=lambda value: value if isinstance(value, str) else None)
@pytest.mark.parametrize("step", [0, 50])
def test_a_file_that_is_no_r151_flow_is_refused_before_its_first_block(code: str, data: bytes, step: int) -> None:
    with pytest.raises(UnableToDecodeFile) as failure:
        decode(r151(), data, step=step, head_bytes=64)
    assert failure.value.code == code
    assert "Traceback" not in failure.value.message


@pytest.mark.parametrize(
    "data", [b"", b"\n \n", document(), document(Prm(days=())), document(Prm(days=(Day(indexes=()),)))]
)
def test_a_file_may_hold_nothing(data: bytes) -> None:
    assert decode(r151(), data) == []


HIDING = ["<!--{}-->", "<!-->{}-->", "<![CDATA[{}]]>", "<?app {}?>", "<?app > {} ?>", "<?xml-app > {} ?>"]


@pytest.mark.parametrize("hiding", HIDING)
@pytest.mark.parametrize("block_bytes", [1, 700, 1 << 20])
def test_what_is_no_element_is_no_usage(hiding: str, block_bytes: int) -> None:
    hidden = hiding.format(prm_xml(Prm("11111111111111")))
    if "CDATA" in hiding:
        hidden = f"<Note>{hidden}</Note>"
    data = document(hidden, Prm(), hidden, Prm(), hidden)
    if "CDATA" not in hiding:
        data = data.replace(b"<R151 ", hidden.encode() + b"<R151 ")
    found = decode(r151(), data, block_bytes=block_bytes, head_bytes=64)
    assert [record.access_point for record in found] == [b"99740456235087"] * 2


@pytest.mark.parametrize("name", ["Classe_Temporelle", DISTRIBUTOR, POWER])
def test_an_index_without_content_keeps_its_own_bytes_only(name: str) -> None:
    empty = f"<{name} a='>'/>"
    data = document(prm_xml(Prm()).replace("</Donnees_Releve>", f"{empty}<{name}>/></{name}>{empty}</Donnees_Releve>"))
    found = decode(r151(), data)
    assert raws(found)[1:] == [empty.encode(), f"<{name}>/></{name}>".encode(), empty.encode()]
    assert comparable(found) == decode_twin(r151(), data)


def test_a_line_end_inside_a_text_is_a_line_feed_as_xml_has_it() -> None:
    data = document(Prm(days=(Day(indexes=(Index(name="H\r\nP"), Index(name="H\rP"))),)))
    found = decode(r151(), data)
    assert comparable(found) == decode_twin(r151(), data)
    assert found[0].rest == found[1].rest


def test_a_value_is_never_a_part_of_its_text() -> None:
    point = prm_xml(Prm()).replace("<Valeur>1000", "<Valeur>12<b>5</b>34")
    assert reasons(r151(), document(point)) == ["INVALID_QUANTITY"]


def test_an_element_that_comes_too_late_is_missing() -> None:
    day = "<Donnees_Releve>" + DAY_XML.partition("</Date_Releve>")[2].replace(
        "</Donnees_Releve>", "<Date_Releve>2026-05-01</Date_Releve></Donnees_Releve>"
    )
    assert reasons(r151(), document(f"<PRM><Id_PRM>1</Id_PRM>{day}</PRM>")) == ["FIELD_MISSING"]


@pytest.mark.parametrize("element", ["Classe_Temporelle", DISTRIBUTOR, POWER])
@pytest.mark.parametrize("count", [1, 5_000])
def test_the_shortest_records_fit_their_columns(element: str, count: int) -> None:
    empty = Index(element, name=None, value=None, doubt=None).element
    body = f"<{empty}></{empty}>" * count
    data = document(f"<PRM><Donnees_Releve>{body}</Donnees_Releve></PRM>")
    expected = "FIELD_MISSING" if element == "Classe_Temporelle" else "FILTERED_BY_SOURCE"
    assert reasons(r151(), data) == [expected] * count


def test_the_shortest_record_is_the_shortest_name_written_twice() -> None:
    names = [kernel.NAMES[number] for number in (kernel.SUPPLIER_INDEX, kernel.DISTRIBUTOR_INDEX, kernel.MAXIMUM_POWER)]
    assert min(2 * len(name) + len("<></>") for name in names) == kernel.RECORD_BYTES_MIN


def test_usual_documents_need_no_full_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(R151Splitter, "_parse", lambda *_: pytest.fail("parsed by the slow way"))
    assert len(decode(r151(), document(*[Prm()] * 50, between="\n"))) == 50


def test_a_meter_point_too_large_to_hold_refuses_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(r151_decoder, "PRM_BYTES_MAX", 2_000_000)
    days = tuple(Day(indexes=(Index(),) * 100) for _ in range(200))
    with pytest.raises(UnableToDecodeFile, match="RECORD_TOO_LONG"):
        decode(r151(), document(Prm(), Prm(days=days)), block_bytes=1000)


def test_a_long_index_is_refused_alone() -> None:
    source = r151(record_bytes_max=256)
    data = document(Prm(days=(Day(indexes=(Index(), Index(name="x" * 300), Index())),)))
    found = decode(source, data)
    assert [record.reason for record in found] == [Reason.NONE, Reason.RECORD_TOO_LONG, Reason.NONE]
    assert b"x" * 300 in raws(found)[1]


def test_the_same_index_has_one_key_whatever_the_file_looks_like() -> None:
    plain = decode(r151(), document(Prm()))
    spaced = decode(r151(), document(Prm(), between="\r\n\t", encoding="ISO-8859-1"))
    later = decode(r151(), document(Prm(id="5"), "<!-- x -->", Prm()))
    assert plain[0].rest == spaced[0].rest == later[1].rest
    other_grid = decode(r151(grid="distributor"), document(Prm(days=(Day(indexes=(Index(DISTRIBUTOR),)),))))
    assert other_grid[0].rest[0] != plain[0].rest[0]
    assert other_grid[0].rest[3] != plain[0].rest[3]  # another register


@pytest.mark.parametrize("grid", ["supplier", "distributor"])
def test_the_public_sample_reads_as_elementtree_reads_it(samples: Path, grid: str) -> None:
    data = (samples / "energy/fr_enedis_samples/electricore/r151.xml").read_bytes()
    found = decode(r151(grid=grid), data, block_bytes=100)
    assert comparable(found) == decode_twin(r151(grid=grid), data)
    billed = [record for record in found if record.reason == Reason.NONE]
    assert [quantity(record) // 1000 for record in billed] == {
        "supplier": [23_270_652],
        "distributor": [15_670_608, 6_107_897, 12_823_285, 5_933_941],
    }[grid]
    assert {event_at(record) for record in billed} == {1_712_268_000_000_000}  # 2024-04-04 ends at 22:00Z
    assert {record.access_point for record in billed} == {b"99740456235087"}
