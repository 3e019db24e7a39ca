"""The XML flows R15, C15, F15 and R151 as records, and which flow has which.

Only what is named here is read of a point: no name, telephone number or address of a customer comes any further.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis import words
from pipelines.mediation.enedis.xml_affairs import affair_events
from pipelines.mediation.enedis.xml_curves import r4x_intervals, r50_intervals
from pipelines.mediation.enedis.xml_elements import Element
from pipelines.mediation.enedis.xml_head import Head
from pipelines.mediation.enedis.xml_large import GRIDS as LARGE_GRIDS
from pipelines.mediation.enedis.xml_large import c12_events, f12_lines, r17_quantities, r17_readings, r171_readings
from schemas.energy import RecordKind

SUPPLIER, DISTRIBUTOR = "Classe_Temporelle", "Classe_Temporelle_Distributeur"
GRID = {SUPPLIER: "supplier", DISTRIBUTOR: "distributor"}
CALENDAR = {SUPPLIER: "Id_Calendrier", DISTRIBUTOR: "Id_Calendrier_Distributeur"}
ROLE = {"1": "before", "2": "after"}
EVENT = {"CFNE": "CFN_IN", "CFNS": "CFN_OUT"}
TERM = {"E": "advance", "U": "arrears", "R": "taken_back", "A": "cancelled", "F": "billed_again"}
INDEX, CONSUMPTION = "1", "2"


Walk = Callable[[Head, Element], Iterator[Row]]


def r15_quantities(head: Head, prm: Element) -> Iterator[Row]:
    """Yield the energies of a point: what the distributor bills by (Classe_Mesure 2, and 3 to 6 of self-consumption)."""
    point = prm.said("Id_PRM")
    for reading in prm.all("Donnees_Releve"):
        status = reading.said("Statut_Releve")
        status = words.STATUS.get(status, status)
        nature = reading.said("Nature_Consommation")
        for found in reading.all(SUPPLIER, DISTRIBUTOR):
            measure = found.said("Classe_Mesure")
            if measure == INDEX:
                continue
            calendar = reading.said(CALENDAR[found.name])
            value, unit = words.energy(found.said("Valeur"), found.said("Unite_Mesure"))
            yield head.common("R15", found, status) | {
                "id": reading.said("Id_Releve"),
                "point": point,
                "start": words.instant(reading.said("Date_Releve_Precedent")),
                "end": words.instant(reading.said("Date_Releve")),
                "grid": GRID[found.name],
                "calendar": calendar,
                "time_class": found.said("Id_Classe_Temporelle"),
                "measure": words.MEASURE.get(measure, measure or words.MEASURE[CONSUMPTION]),
                "direction": _direction(found.said("Sens_Mesure")),
                "unit": unit,
                "value": value,
                "net": "0" if status == "A" else value,
                "nature": words.NATURE.get(nature, nature),
                "status": status,
                "previous_id": reading.said("Id_Releve_Precedent"),
                "reason": reading.said("Motif_Releve"),
                "correction": reading.said("Motif_Rectif"),
                "situation": reading.said("Ref_Situation_Contractuelle"),
                "doubt": words.doubt_of(calendar) or ("" if measure else "Classe_Mesure is missing"),
            }


def r15_readings(head: Head, prm: Element) -> Iterator[Row]:
    """Yield the indexes of a point."""
    for reading in prm.all("Donnees_Releve"):
        status = reading.said("Statut_Releve")
        yield from _readings(
            head,
            reading,
            {
                "flow": "R15",
                "id": reading.said("Id_Releve"),
                "point": prm.said("Id_PRM"),
                "status": words.STATUS.get(status, status),
                "reason": reading.said("Motif_Releve"),
                "situation": reading.said("Ref_Situation_Contractuelle"),
            },
        )


def c15_readings(head: Head, prm: Element) -> Iterator[Row]:
    """Yield the indexes before and after what happened to a point."""
    for event in prm.all("Evenement_Declencheur"):
        for releves in event.all("Releves"):
            for reading in releves.all("Donnees_Releve"):
                role = reading.said("Code_Qualification")
                yield from _readings(
                    head,
                    reading,
                    {
                        "flow": "C15",
                        "point": prm.said("Id_PRM"),
                        "status": "I",
                        "role": ROLE.get(role, role),
                        "reason": event.said("Nature_Evenement"),
                        "situation": prm.said("Situation_Contractuelle", "Ref_Situation_Contractuelle"),
                    },
                )


def _readings(head: Head, reading: Element, known: Row) -> Iterator[Row]:
    nature = reading.said("Nature_Index")
    for found in reading.all(SUPPLIER, DISTRIBUTOR):
        if found.said("Classe_Mesure") != INDEX:
            continue
        calendar, coefficient = reading.said(CALENDAR[found.name]), found.said("Coefficient_Lecture")
        value, unit = words.scaled(found.said("Valeur"), found.said("Unite_Mesure"), coefficient)
        digits, rolls_over_at = found.said("Nb_Chiffres_Cadran"), ""
        if found.said("Indicateur_Passage_A_Zero") == "1" and words.is_count(digits):
            rolls_over_at, _ = words.scaled(f"1{'0' * int(digits)}", found.said("Unite_Mesure"), coefficient)
        yield (
            head.common(known["flow"], found, known["status"])
            | known
            | {
                "at": words.instant(reading.said("Date_Releve")),
                "grid": GRID[found.name],
                "calendar": calendar,
                "time_class": found.said("Id_Classe_Temporelle"),
                "dial": found.said("Rang_Cadran"),
                "measure": "EA",
                "direction": _direction(found.said("Sens_Mesure")),
                "unit": unit,
                "value": value,
                "truncated": words.truncated(value, unit),
                "rolls_over_at": rolls_over_at,
                "nature": words.NATURE.get(nature, nature),
                "meter": found.said("Num_Serie"),
                "doubt": words.doubt_of(calendar),
            }
        )


def r151_readings(head: Head, prm: Element) -> Iterator[Row]:
    """Yield the indexes of a point, each at the end of its day; largest powers are left out."""
    unit = head.said("En_Tete_Flux", "Unite_Mesure_Index")
    for day in prm.all("Donnees_Releve"):
        calendars = {
            SUPPLIER: day.said("Id_Calendrier_Fournisseur"), DISTRIBUTOR: day.said("Id_Calendrier_Distributeur"),
        }  # fmt: skip
        for found in day.all(SUPPLIER, DISTRIBUTOR):
            value, read = words.scaled(found.said("Valeur"), unit)
            doubtful = found.said("Indice_Vraisemblance")
            yield head.common("R151", found) | {
                "point": prm.said("Id_PRM"),
                "at": words.day_end(day.said("Date_Releve")),
                "grid": GRID[found.name],
                "calendar": calendars[found.name],
                "time_class": found.said("Id_Classe_Temporelle"),
                "dial": found.said("Rang_Cadran"),
                "measure": "EA",
                "direction": "consumption",
                "unit": read,
                "value": value,
                "truncated": words.truncated(value, read),
                "nature": "R",
                "status": "I",
                "doubt": words.doubt_of(calendars[found.name])
                or ("" if doubtful in ("", "0") else f"Indice_Vraisemblance is {doubtful}"),
            }


def c15_events(head: Head, prm: Element) -> Iterator[Row]:
    """Yield what happened to the contract or the meter of a point."""
    state = prm.first("Situation_Contractuelle")
    for event in prm.all("Evenement_Declencheur"):
        situation = state or Element("", event.line)
        nature, sequence = event.said("Nature_Evenement"), situation.said("Num_Sequence")
        kind = EVENT.get(nature, nature)
        if nature == "AUTRE" and sequence == "0":
            kind = "CANCELLED"
        yield head.common("C15", event) | {
            "point": prm.said("Id_PRM"),
            "at": words.instant(event.said("Date_Evenement")),
            "kind": kind,
            "nature": nature,
            "category": event.said("Type_Evenement"),
            "affair": event.said("Id_Affaire"),
            "segment": prm.said("Segment_Clientele"),
            "situation": situation.said("Ref_Situation_Contractuelle"),
            "sequence": sequence,
            "state": situation.said("Etat_Contractuel"),
            "in_service_on": situation.said("Date_Mise_En_Service"),
            "ended_on": situation.said("Date_Resiliation"),
            "sequence_from": situation.said("Date_Debut_Num_Sequence"),
            "tariff": situation.said("Structure_Tarifaire", "Formule_Tarifaire_Acheminement"),
            "power": situation.said("Structure_Tarifaire", "Puissance_Souscrite"),
            "power_unit": situation.said("Structure_Tarifaire", "Unite_Puissance_Souscrite"),
            "distributor_calendar": situation.said("Structure_Tarifaire", "Id_Calendrier_Distributeur"),
            "supplier_calendar": situation.said("Structure_Tarifaire", "Id_Calendrier"),
            "off_peak": situation.said("Structure_Tarifaire", "Libelle_Plage_Heures_Creuses"),
            "meter": prm.said("Dispositif_De_Comptage", "Compteur", "Num_Serie"),
        }


def f15_lines(head: Head, valuation: Element) -> Iterator[Row]:
    """Yield the lines of one part of an invoice. VAT has another shape from release 4.0.4 on: it is told by what is there."""
    rank = 0
    for group in valuation.all("Groupe_Valorise"):
        for found in group.all("Element_Valorise"):
            rank += 1
            element, rate = found.said("Id_EV"), found.said("Taux_TVA_Applicable")
            stem, _, ending = element.rpartition("-")
            has_term = ending in TERM and stem != ""
            is_rate = words.number(rate) is not None
            yield head.common("F15", found) | {
                "invoice": head.said("Rappel_En_Tete", "Num_Facture"),
                "invoiced_on": head.said("Rappel_En_Tete", "Date_Facture"),
                "currency": head.said("Rappel_En_Tete", "Devise"),
                "valuation": valuation.said("Num_Valorisation"),
                "rank": str(rank),
                "kind": valuation.said("Type_Facturation"),
                "point": valuation.said("Donnees_PRM", "Id_PRM"),
                "situation": valuation.said("Donnees_PRM", "Ref_Situation_Contractuelle"),
                "affair": valuation.said("Id_Affaire"),
                "correction": valuation.said("Motif_Rectif_Facture"),
                "origin_invoice": valuation.said("Facture_Origine", "Origine_Facture"),
                "origin_valuation": valuation.said("Facture_Origine", "Origine_Valorisation"),
                "group": group.said("Nature_EV"),
                "element": element,
                "stem": stem if has_term else element,
                "term": TERM[ending] if has_term else "",
                "label": words.mended(found.said("Libelle_EV")),
                "start": found.said("Date_Debut"),
                "end": found.said("Date_Fin"),
                "quantity": found.said("Quantite"),
                "unit": found.said("Unite_Quantite"),
                "price": found.said("Prix_Unitaire"),
                "amount": found.said("Montant_HT"),
                "vat_rate": rate if is_rate else "",
                "vat_code": found.said("Code_Type_TVA_Applicable") or ("" if is_rate else rate),
                "tariff": found.said("Formule_Tarifaire_Acheminement"),
                "power": found.said("Puissance_Souscrite"),
                "warning": words.product(found.said("Quantite"), found.said("Prix_Unitaire"), found.said("Montant_HT")),
            }


def _direction(sense: str) -> str:
    return words.DIRECTION.get(sense, sense)


@dataclass(frozen=True, slots=True)
class XmlFlow:
    """A flow, known by its root.

    Attributes:
        holder: the element just below the root that holds records. needs: what each of them has at least one of, so that a
            file of another shape does not pass as one without records; "" for nothing.
        kinds: how each kind of record is read from a holder.
        parents: elements that records are made of -> what each of them stands in. Anywhere else they would be passed over.
        called: the flow, where its root is not called so.
    """

    holder: str
    needs: str
    kinds: dict[RecordKind, Walk]
    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    called: str = ""

    def misplaced(self, holder: Element) -> Element | None:
        """Return the first element of a holder that stands where none of its name belongs."""
        around = [holder]
        while around:
            parent = around.pop()
            for item in parent.inside:
                if item.name == self.holder or parent.name not in self.parents.get(item.name, (parent.name,)):
                    return item
            around += [item for item in parent.inside if item.inside]
        return None


_RELEVE = ("Donnees_Releve",)
_CLASSES = {SUPPLIER: _RELEVE, DISTRIBUTOR: _RELEVE}
XML_FLOWS: dict[str, XmlFlow] = {
    "R15": XmlFlow(
        "PRM",
        "Donnees_Releve",
        {"quantities": r15_quantities, "readings": r15_readings},
        {"Donnees_Releve": ("PRM",), **_CLASSES},
    ),
    "C15": XmlFlow(
        "PRM",
        "Evenement_Declencheur",
        {"events": c15_events, "readings": c15_readings},
        {"Evenement_Declencheur": ("PRM",), "Donnees_Releve": ("Releves",), **_CLASSES},
    ),
    "R151": XmlFlow("PRM", "Donnees_Releve", {"readings": r151_readings}, {"Donnees_Releve": ("PRM",), **_CLASSES}),
    "R50": XmlFlow("PRM", "Donnees_Releve", {"intervals": r50_intervals}, {"Donnees_Releve": ("PRM",), "PDC": _RELEVE}),
    "F15_Detail_Facturation": XmlFlow(
        "Donnees_Valorisation",
        "",
        {"lines": f15_lines},
        {"Groupe_Valorise": ("Donnees_Valorisation",), "Element_Valorise": ("Groupe_Valorise",)},
    ),
    "Index_C2_C3_C4": XmlFlow(
        "Corps_PRM",
        "Donnees_Releve",
        {"quantities": r17_quantities, "readings": r17_readings},
        {
            "Donnees_Releve": ("Corps_PRM",),
            "Index_Par_Classe_Temporelle": tuple(LARGE_GRIDS),
            "Conso_Par_Classe_Temporelle": tuple(LARGE_GRIDS),
        },
        called="R17",
    ),
    "R171": XmlFlow(
        "serieMesuresDatees",
        "mesuresDateesListe",
        {"readings": r171_readings},
        {"mesuresDateesListe": ("serieMesuresDatees",), "mesureDatee": ("mesuresDateesListe",)},
    ),
    "Courbe": XmlFlow(
        "Corps",
        "Donnees_Courbe",
        {"intervals": r4x_intervals},
        {"Donnees_Courbe": ("Corps",), "Donnees_Point_Mesure": ("Donnees_Courbe",)},
        called="R4x",
    ),
    "Detail_Facturation": XmlFlow(
        "Sous_Lot", "", {"lines": f12_lines}, {"Element_Valorise": ("Sous_Lot",)}, called="F12"
    ),
    "C12": XmlFlow(
        "PRM",
        "Type_Evenement",
        {"events": c12_events},
        {"Type_Evenement": ("PRM",), "Situation_Contractuelle": ("Type_Evenement",)},
    ),
    "affaires": XmlFlow(
        "affaire", "", {"events": affair_events}, {"jalons": ("donneesGenerales",), "jalon": ("jalons",)}, called="X12"
    ),
}
THROUGH = {"R171": "serieMesuresDateesListe", "C12": "Contrat"}
"""Elements below a root that hold all its records, and may be as long as the file."""
