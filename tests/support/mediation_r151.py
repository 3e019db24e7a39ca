"""R151 documents written from plain values, and a twin of the decoder that reads them with ElementTree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from mediation_values import first_reason, key_of, nonzero, read_day_end, read_quantity
from mediation_world import ATTRIBUTE_CODES, EVENT_TYPE_CODES, UNITS, Record, context, shown

from pipelines.mediation.kernels.contents import content_bytes
from rating.kernels.hashing import hash128_bytes
from schemas.rejection import Reason
from schemas.source import R151Source

WHITE = "".join(chr(code) for code in range(33))
SUPPLIER, DISTRIBUTOR, POWER = "Classe_Temporelle", "Classe_Temporelle_Distributeur", "Puissance_Maximale"


@dataclass(frozen=True)
class Index:
    """One index or maximum power; None leaves an element out."""

    element: str = SUPPLIER
    name: str | None = "HP"
    value: str | None = "1000"
    doubt: str | None = "0"


@dataclass(frozen=True)
class Day:
    """One day of one meter point."""

    date: str | None = "2026-05-01"
    supplier: str | None = "FC022034"
    distributor: str | None = "DI000003"
    indexes: tuple[Index, ...] = (Index(),)


@dataclass(frozen=True)
class Prm:
    """One meter point."""

    id: str | None = "99740456235087"
    days: tuple[Day, ...] = (Day(),)


HEAD = (
    "<En_Tete_Flux><Identifiant_Flux>R151</Identifiant_Flux><Date_Creation>2026-05-02T03:09:31+02:00</Date_Creation>"
    "<Unite_Mesure_Index>Wh</Unite_Mesure_Index></En_Tete_Flux>"
)


def element(name: str, text: str | None, between: str = "") -> str:
    """Return an element, or nothing when there is no text for it."""
    return "" if text is None else f"{between}<{name}>{escape(text)}</{name}>"


def index_xml(index: Index, between: str = "") -> str:
    """Return one index; `between` stands before every element inside."""
    inside = element("Id_Classe_Temporelle", index.name, between) + element("Libelle", "Heures é", between)
    inside += element("Valeur", index.value, between) + element("Indice_Vraisemblance", index.doubt, between)
    return f"<{index.element}>{inside}{between}</{index.element}>"


def prm_xml(prm: Prm, between: str = "") -> str:
    """Return one PRM element; `between` stands before every element inside."""
    days = ""
    for day in prm.days:
        inside = element("Date_Releve", day.date, between)
        inside += element("Id_Calendrier_Fournisseur", day.supplier, between)
        inside += element("Id_Calendrier_Distributeur", day.distributor, between)
        inside += "".join(between + index_xml(index, between) for index in day.indexes)
        days += f"{between}<Donnees_Releve>{inside}{between}</Donnees_Releve>"
    return f"<PRM>{element('Id_PRM', prm.id, between)}{days}{between}</PRM>"


def document(*prms: Prm | str, head: str = HEAD, between: str = "", encoding: str = "UTF-8") -> bytes:
    """Return a whole document; a PRM may be given as text."""
    body = "".join(prm if isinstance(prm, str) else prm_xml(prm, between) + between for prm in prms)
    text = f"<?xml version='1.0' encoding='{encoding}'?>\n<R151 xmlns:x='urn:x'>{head}{between}{body}</R151>\n"
    return text.encode(encoding, "xmlcharrefreplace")


def decode_twin(source: R151Source, data: bytes) -> list[Record]:
    """Return the records of a document; a record's `raw` is its parsed element, in a form that compares (see `same`)."""
    root = ElementTree.fromstring(data)
    return [
        _record(source, _text(prm, "Id_PRM"), day, index)
        for prm in root.findall("PRM")
        for day in prm.findall("Donnees_Releve")
        for index in day
        if index.tag in (SUPPLIER, DISTRIBUTOR, POWER)
    ]


def canonical(raw: bytes, encoding: str = "UTF-8") -> bytes:
    """Return an element in a form that is the same for the same tree."""
    return ElementTree.canonicalize(raw.decode(encoding)).encode()


def comparable(records: list[Record], encoding: str = "UTF-8") -> list[Record]:
    """Return records whose raw element is canonical, to compare with the twin's."""
    return [replace(record, raw=canonical(record.raw, encoding)) for record in records]


def _text(parent: ElementTree.Element, tag: str) -> str:
    found = [*parent.iterfind(tag)]
    return _whole_text(found[-1]).strip(WHITE) if found else ""


def _whole_text(item: ElementTree.Element) -> str:
    """Return an element's text; an element inside it shows as <>, so that it reads as no number and no date."""
    return (item.text or "") + "".join("<>" + _whole_text(child) + (child.tail or "") for child in item)


def _record(source: R151Source, prm: str, day: ElementTree.Element, index: ElementTree.Element) -> Record:
    billed = {"supplier": SUPPLIER, "distributor": DISTRIBUTOR}[source.grid]
    calendar = "Id_Calendrier_Distributeur" if index.tag == DISTRIBUTOR else "Id_Calendrier_Fournisseur"
    identity = [prm, _text(day, "Date_Releve"), _text(day, calendar), _text(index, "Id_Classe_Temporelle")]
    value, doubt = _text(index, "Valeur"), _text(index, "Indice_Vraisemblance")
    found: list[int] = []
    found += [Reason.FILTERED_BY_SOURCE] if index.tag != billed else []
    found += [Reason.FIELD_MISSING] if not all([*identity, value]) else []
    at, wrong = read_day_end(identity[1].encode(), "Europe/Paris")
    found += [wrong] if wrong else []
    steps, wrong = read_quantity(value.encode(), UNITS["Wh"].step_count, half_up=False)
    found += [wrong] if wrong else []
    found += [Reason.DOUBTFUL_READING] if doubt not in ("", "0") or identity[2] in ("INCONNU", "DN999999") else []
    key = key_of(context(source), [text.encode() for text in identity], source.grid.encode())
    access = nonzero(hash128_bytes(prm.encode()))
    rest = (
        key,
        content_bytes([value.encode()], *key),
        access,
        nonzero(hash128_bytes(f"{source.grid}/{identity[3]}".encode(), *access)),
        steps,
        EVENT_TYPE_CODES[source.event_type],
        (ATTRIBUTE_CODES.get(identity[3], 0), 0, 0, 0),
    )
    kept = canonical(ElementTree.tostring(_without_tail(index)))
    return shown(first_reason(found), kept, prm.encode(), at, rest)


def _without_tail(item: ElementTree.Element) -> ElementTree.Element:
    item.tail = None
    return item
