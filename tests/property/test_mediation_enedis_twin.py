"""Decoders of Enedis flows and their twin read the same of made-up files, however few bytes come at once; every record is what its
model says."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape

from hypothesis import given
from hypothesis import strategies as st
from mediation_enedis import PARIS, read_twin

from pipelines.mediation.enedis.decoder import read_rows
from schemas.energy import RECORDS, RecordKind

instants = st.integers(0, 3000).map(
    lambda hours: datetime.fromtimestamp(1_774_600_000 // 3600 * 3600 + hours * 7200, UTC).astimezone(PARIS).isoformat()
)
naive = st.integers(0, 400).map(lambda day: str(datetime(2026, 1, 1) + timedelta(days=day)))
"""Days around both changes of the clock."""
points = st.integers(0, 99).map(lambda number: f"{number:014}")
calendars = st.sampled_from(["FC022034", "DI000003", "INCONNU", "DN999999"])
names = st.sampled_from(["BASE", "HPH", "Heures <creuses> & é", "HC"])


def element(name: str, *inside: str | None, between: str = "") -> str:
    """Return an element; one whose text is None is left out."""
    if inside == (None,):
        return ""
    return f"{between}<{name}>{''.join(filter(None, inside))}</{name}>"


@st.composite
def time_class(draw: st.DrawFn, tag: str) -> str:
    """Return a time class of a reading: an index or an energy."""
    measure = draw(st.sampled_from("112223456"))
    index = measure == "1"
    return element(
        tag,
        element("Id_Classe_Temporelle", escape(draw(names))),
        element("Rang_Cadran", draw(st.sampled_from(["1", None]))),
        element("Classe_Mesure", measure),
        element("Unite_Mesure", draw(st.sampled_from(["kWh", "Wh"]))),
        element("Sens_Mesure", draw(st.sampled_from("01"))),
        element("Valeur", str(draw(st.integers(0 if index else -(10**6), 10**12)))),
        element("Nb_Chiffres_Cadran", draw(st.sampled_from(["4", "6", None])) if index else None),
        element("Indicateur_Passage_A_Zero", draw(st.sampled_from(["0", "1", None])) if index else None),
        element("Coefficient_Lecture", draw(st.sampled_from(["1.0", "40", "0.125", None])) if index else None),
        between=draw(st.sampled_from(["", "\n"])),
    )


@st.composite
def readings(draw: st.DrawFn, *, around: bool = False) -> str:
    """Return a reading of R15, or one around an event of C15."""
    tags = [
        draw(st.sampled_from(["Classe_Temporelle", "Classe_Temporelle_Distributeur"]))
        for _ in range(draw(st.integers(0, 4)))
    ]
    return element(
        "Donnees_Releve",
        element("Code_Qualification", draw(st.sampled_from("12")) if around else None),
        element("Id_Releve", str(draw(st.integers(0, 99)))),
        element("Date_Releve", draw(instants)),
        element("Id_Calendrier_Distributeur", draw(calendars)),
        element("Id_Calendrier", draw(calendars)),
        element("Statut_Releve", draw(st.sampled_from(["INITIAL", "ANNULE", "RECTIFICATIF"]))),
        element("Nature_Consommation", draw(st.sampled_from(["REEL", "ESTIME", "REGULARISE", None]))),
        element("Nature_Index", draw(st.sampled_from(["REEL", "ESTIME", "AUTO-RELEVE", None]))),
        element("Date_Releve_Precedent", draw(st.none() | instants)),
        *(draw(time_class(tag)) for tag in tags),
        between="\n",
    )  # fmt: skip


@st.composite
def xml_files(draw: st.DrawFn) -> tuple[bytes, list[RecordKind]]:
    """Return an XML flow, and the kinds of records that it has."""
    flow = draw(st.sampled_from(["R15", "C15", "R50"]))
    prms, step = [], draw(st.sampled_from([5, 10, 15, 30, 60]))
    for point in draw(st.lists(points, min_size=1, max_size=3)):
        if flow == "R50":
            steps = (
                element("PDC", element("H", draw(instants)), element("V", draw(st.none() | st.integers(-9, 9999).map(str))),
                        element("IV", draw(st.sampled_from(["0", "1", None]))), between="\n")
                for _ in range(draw(st.integers(0, 4)))
            )  # fmt: skip
            inside = element("Donnees_Releve", *steps)
        elif flow == "R15":
            inside = "".join(draw(st.lists(readings(), min_size=1, max_size=3)))
        else:
            nature = draw(st.sampled_from(["MCT", "CMAT", "CFNE", "CFNS", "AUTRE"]))
            around = element("Releves", *draw(st.lists(readings(around=True), max_size=2)))
            inside = element("Evenement_Declencheur", element("Date_Evenement", draw(instants)),
                             element("Nature_Evenement", nature), around)  # fmt: skip
            inside += element("Situation_Contractuelle", element("Num_Sequence", draw(st.sampled_from(["0", "2"]))),
                              element("Titulaire_Contrat", element("Nom", "SECRET")))  # fmt: skip
        prms.append(element("PRM", element("Id_PRM", point), inside, between="\n"))
    head = element("En_Tete_Flux", element("Date_Creation", draw(instants)), element("Pas_Publication", str(step)))
    kinds: dict[str, list[RecordKind]] = {
        "R15": ["readings", "quantities"], "C15": ["events", "readings"], "R50": ["intervals"]
    }  # fmt: skip
    return element(flow, head, *prms).encode(), kinds[flow]


def _measure(point: str, calendar: str, name: str, values: list[Any], key: str) -> dict[str, Any]:
    time_class = {"idClasseTemporelle": name, "codeCadran": "F1", key: values}
    held = {
        "idCalendrier": calendar,
        "codeCalendrier": calendar,
        "libelleGrille": "Fournisseur",
        "classeTemporelle": [time_class],
    }
    quantity = {"grandeurMetier": "CONS", "grandeurPhysique": "EA", "unite": "Wh", "calendrier": [held]}
    context = {"typeReleve": "AP" if calendar == "INCONNU" else "AQ", "idMotifReleve": "CYCL", "grandeur": [quantity]}
    return {"idPrm": point, "contexte": [context]}


indexes = st.fixed_dictionaries({"d": naive, "v": st.integers(0, 10**12), "iv": st.sampled_from([0, 2, None])})
energies = st.fixed_dictionaries(
    {"dateCreation": naive, "dbtMesure": naive, "finMesure": naive, "codeNature": st.sampled_from("REC"),
     "codeStatut": st.sampled_from("IAR"), "quantite": st.integers(-(10**9), 10**9)}
)  # fmt: skip
json_files = st.one_of(
    st.tuples(st.lists(st.builds(_measure, points, calendars, names, st.lists(indexes, max_size=3), st.just("valeur")), max_size=3),
              st.just(["readings"])),
    st.tuples(st.lists(st.builds(_measure, points, calendars, names, st.lists(energies, max_size=3), st.just("quantite")), max_size=3),
              st.just(["quantities"])),
).map(lambda pair: (json.dumps([{"header": {}, "mesures": pair[0]}], indent=1, ensure_ascii=False).encode(), pair[1]))  # fmt: skip


class Slowly(io.BytesIO):
    """A stream that gives few bytes at once."""

    step = 1

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self.step)


@given(file=st.one_of(xml_files(), json_files), step=st.sampled_from([1, 33, 1 << 20]))
def test_the_decoder_and_its_twin_agree(file: tuple[bytes, list[RecordKind]], step: int) -> None:
    data, kinds = file
    for kind in kinds:
        stream = Slowly(data)
        stream.step = step
        found = list(read_rows(stream, kind))
        for row in found:
            RECORDS[kind].model_validate(row if row.get("start", "-") else row | {"start": row["end"]})
        assert [{name: text for name, text in row.items() if text and name != "line"} for row in found] == read_twin(
            data, kind
        )
