"""Warnings of files of energy: what is odd is told with its line and refuses nothing; of good files nothing is odd."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from pipelines.mediation.enedis.decoder import read_rows
from pipelines.mediation.enedis.xml_flows import XML_FLOWS
from pipelines.mediation.enedis.xml_shapes import SHAPES
from pipelines.mediation.oddities import has_oddities, record_oddities, shape_oddities
from schemas.source import EnedisSource, GrdfSource

XML = "**/*.xml"


def shapes_of(text: str) -> list[tuple[int, str]]:
    """Return what is odd about how a file is made."""
    return list(shape_oddities(io.BytesIO(text.encode())))


def test_nothing_is_odd_about_the_samples(samples: Path) -> None:
    folder = samples / "energy" / "fr_enedis_samples"
    files = [path for path in sorted(folder.glob(XML)) if "esponse" not in path.name]
    assert len(files) > 10
    for path in files:
        assert shapes_of(path.read_text()) == [], path.name
    assert set(SHAPES) <= set(XML_FLOWS)


R50 = """<R50>
<En_Tete_Flux><Pas_Publication>30</Pas_Publication></En_Tete_Flux>
<PRM><Id_PRM>123</Id_PRM>
<Donnees_Releve><Nouveau/>
<PDC><H>2026-01-01T00:30:00+01:00</H><V>1,5</V></PDC>
<PDC><V>1</V><V>2</V><IV>3</IV></PDC>
<PDC/>
</Donnees_Releve></PRM></R50>"""


def test_what_is_odd_is_told_with_its_line_and_refuses_nothing() -> None:
    assert shapes_of(R50) == [
        (3, "Id_PRM is '123'"),
        (4, "Donnees_Releve has no Date_Releve"),
        (4, "Donnees_Releve holds Nouveau, which is not known there"),
        (5, "V is '1,5'"),
        (6, "PDC has no H"),
        (6, "PDC has V 2 times"),
        (6, "IV is '3'"),
        (7, "PDC holds nothing"),
    ]
    assert len(list(read_rows(io.BytesIO(R50.encode()), "intervals"))) == 3


@pytest.mark.parametrize(
    "text", ["", '{"mesures": []}', "Identifiant PRM;Type de donnees\n", "<Unknown><PRM/></Unknown>"]
)
def test_other_files_have_no_shape(text: str) -> None:
    assert shapes_of(text) == []


LINE = (
    "<F15_Detail_Facturation><Rappel_En_Tete><Num_Facture>1</Num_Facture></Rappel_En_Tete>\n<Donnees_Valorisation><Groupe_Valorise>"
    "<Element_Valorise>\n<Id_EV>A</Id_EV><Libelle_EV>d\u00c3\u00a9coupl\u00c3\u00a9</Libelle_EV><Quantite>{quantity}</Quantite>"
    "<Prix_Unitaire>3.333333</Prix_Unitaire><Montant_HT>10.00</Montant_HT></Element_Valorise></Groupe_Valorise></Donnees_Valorisation>"
    "</F15_Detail_Facturation>"
)


@pytest.mark.parametrize(
    ("quantity", "told"),
    [("3", ""), ("3.003", ""), ("", ""), ("4", "the amount is 10.00, but 4 times 3.333333 are 13.33"), ("-3", "the amount is 10.00, but -3 times 3.333333 are -10")],
)  # fmt: skip
def test_an_amount_that_is_no_product_is_odd(quantity: str, told: str) -> None:
    source = EnedisSource.model_construct(records="lines")
    data = LINE.format(quantity=quantity).encode()
    assert list(record_oddities(source, io.BytesIO(data))) == ([(2, told)] if told else [])
    (row,) = read_rows(io.BytesIO(data), "lines")
    assert (row["amount"], row["label"]) == ("10.00", "d\u00e9coupl\u00e9")


def test_a_conversion_that_does_not_fit_is_odd() -> None:
    text = '{"22423299474865": {"releves": [\n{"natureReleve": "Publiée", "volumeBrutConsomme": 10, "coeffConversion": 11, "energieConsomme": 120}]}}'
    source = GrdfSource.model_construct(records="quantities", table=None)
    assert has_oddities(source)
    assert list(record_oddities(source, io.BytesIO(text.encode()))) == [
        (2, "energy is 120 kWh, but 10 m3 times 11 are 110 kWh")
    ]
