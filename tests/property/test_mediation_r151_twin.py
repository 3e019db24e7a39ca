"""The R151 decoder and ElementTree read the same, in every form that XML allows, wherever the file is cut."""

from __future__ import annotations

import re
from typing import Any
from xml.sax.saxutils import escape

from hypothesis import given
from hypothesis import strategies as st
from mediation_r151 import DISTRIBUTOR, POWER, SUPPLIER, Day, Index, Prm, comparable, decode_twin, document, prm_xml
from mediation_world import decode, r151

GRIDS = {"supplier": r151(), "distributor": r151(grid="distributor")}


def mostly(usual: list[str], *others: st.SearchStrategy[str] | st.SearchStrategy[None]) -> st.SearchStrategy[Any]:
    """Return a strategy of usual values, and one of the others now and then: most records must be good."""
    return st.integers(0, 9).flatmap(lambda n: st.one_of(*others) if n == 0 else st.sampled_from(usual))


any_text = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=8
)
odd_names = st.sampled_from(["", "a<b&c", " HP ", "\u00e9\u20ac\U0001f4b6", "x" * 40, "]] >", "A\tB"])
odd_values = st.sampled_from(["-1", "1.5", "0.0001", "12a", "", " 77 ", "9" * 30, "4611686018427387"])
odd_dates = st.sampled_from(["1999-12-31", "1999-12-30", "2099-12-31", "2026-02-30", "x", "", "2026-05-01Z"])
names = mostly(["HP", "HC", "BASE"], odd_names, any_text, st.none())
values = mostly(["0", "1000", "9744495"], odd_values, st.integers(0, 10**9).map(str), st.none())
dates = mostly(["2026-05-01", "2026-03-28", "2026-10-24"], odd_dates, st.dates().map(str), st.none())
indexes = st.builds(
    Index,
    element=st.sampled_from([SUPPLIER, SUPPLIER, DISTRIBUTOR, POWER]),
    name=names,
    value=values,
    doubt=mostly(["0"], st.sampled_from(["1", "2", ""]), st.none()),
)
days = st.builds(
    Day,
    date=dates,
    supplier=mostly(["FC022034", "FC000010"], st.sampled_from(["", "INCONNU", "DN999999"]), st.none()),
    distributor=mostly(["DI000003"], st.sampled_from(["", "INCONNU", "DN999999"]), st.none()),
    indexes=st.lists(indexes, max_size=4).map(tuple),
)
prms = st.builds(
    Prm,
    id=mostly(["99740456235087", "00000000000001"], st.just("a&b"), st.none()),
    days=st.lists(days, max_size=3).map(tuple),
)


@given(points=st.lists(prms, max_size=4), grid=st.sampled_from(sorted(GRIDS)), between=st.sampled_from(["", "\n", "\r\n  "]),
       block_bytes=st.one_of(st.integers(1, 300), st.just(1 << 20)))  # fmt: skip
def test_documents_in_usual_form(points: list[Prm], grid: str, between: str, block_bytes: int) -> None:
    data = document(*points, between=between)
    assert comparable(decode(GRIDS[grid], data, block_bytes=block_bytes, head_bytes=128)) == decode_twin(
        GRIDS[grid], data
    )


@st.composite
def dressed(draw: Any, point: Prm) -> str:
    """Return a PRM that says the same in a less usual form."""
    text = prm_xml(point)
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(
            st.sampled_from(["comment", "cdata", "reference", "attribute", "blank", "empty", "child", "instruction"])
        )
        if kind == "comment":
            where = draw(st.sampled_from(["<Valeur>", "</Valeur>", "<Donnees_Releve>", "</PRM>", "<Id_PRM>"]))
            said = draw(st.sampled_from(["", "x", "</PRM>", "<PRM><Id_PRM>1</Id_PRM></PRM>", "></PRM>", ">"]))
            # A comment in a comment is no XML: those that were put in before are passed over.
            comments = [match.span() for match in re.finditer("<!--.*?-->", text)]
            places = [match.end() for match in re.finditer(re.escape(where), text)]
            free = [at for at in places if not any(begin < at < end for begin, end in comments)]
            if free:
                text = f"{text[: free[0]]}<!--{said}-->{text[free[0] :]}"
        elif kind == "cdata":
            said = draw(st.sampled_from(["7", "</PRM>", "<a>", "]]", "&amp;"]))
            text = text.replace("<Valeur>", f"<Valeur><![CDATA[{said}]]>", 1)
        elif kind == "reference":
            text = text.replace(
                "<Id_Classe_Temporelle>",
                f"<Id_Classe_Temporelle>{draw(st.sampled_from(['&#72;', '&#x20AC;', '&lt;']))}",
                1,
            )
        elif kind == "attribute":
            name = draw(st.sampled_from(["PRM", "Valeur", "Donnees_Releve", SUPPLIER, "Libelle"]))
            said = draw(st.sampled_from(["a='>'", "a=\"/>\" b='1'", "b='é'", 'a="&lt;PRM>"']))
            text = text.replace(f"<{name}>", f"<{name} {said}>", 1)
        elif kind == "blank":
            name = draw(st.sampled_from(["PRM", "Valeur", "Date_Releve", SUPPLIER, "Donnees_Releve"]))
            text = text.replace(
                f"<{name}>", f"<{name}{draw(st.sampled_from([' ', chr(9), chr(10), chr(13) + chr(10)]))}>", 1
            )
            text = text.replace(f"</{name}>", f"</{name}{draw(st.sampled_from(['', ' ', chr(10)]))}>", 1)
        elif kind == "empty":
            name = draw(st.sampled_from(["Valeur", SUPPLIER, DISTRIBUTOR, POWER, "Autre"]))
            text = text.replace("</Donnees_Releve>", f"<{name}/></Donnees_Releve>", 1)
        elif kind == "child":
            name = draw(st.sampled_from(["Valeur", "Libelle", "Id_PRM", "Date_Releve"]))
            text = text.replace(f"</{name}>", f"<b>1</b>2</{name}>", 1)
        else:
            text = text.replace("<Donnees_Releve>", "<Donnees_Releve><?app <PRM> </PRM> ?>", 1)
    return text


@given(points=st.lists(prms.flatmap(dressed), min_size=1, max_size=3), plain=st.lists(prms, max_size=2),
       block_bytes=st.one_of(st.integers(1, 600), st.just(1 << 20)), encoding=st.sampled_from(["UTF-8", "ISO-8859-1", "US-ASCII"]),
       between=st.sampled_from(["", "\n", "\r\n", "<!-- </PRM> -->", "<?x > <PRM>?>", "<Pied/>", "<Pied a='/>'><b>1</b></Pied>"]))  # fmt: skip
def test_documents_in_any_form(
    points: list[str], plain: list[Prm], block_bytes: int, encoding: str, between: str
) -> None:
    source = GRIDS["supplier"]
    data = document(*(part for point in points for part in (between, point)), *plain, between, encoding=encoding)
    found = decode(source, data, block_bytes=block_bytes, head_bytes=128)
    assert comparable(found, encoding) == decode_twin(source, data)


@given(point=prms, text=any_text)
def test_an_entity_means_the_same_as_its_character(point: Prm, text: str) -> None:
    marked = document(
        f"<PRM><Id_PRM>{escape(text)}</Id_PRM>"
        + prm_xml(point).partition("</Id_PRM>")[2].partition("</PRM>")[0]
        + "</PRM>"
    )
    numbered = "".join(f"&#{ord(letter)};" for letter in text)
    referred = marked.replace(f"<Id_PRM>{escape(text)}<".encode(), f"<Id_PRM>{numbered}<".encode())
    assert [r.rest for r in decode(GRIDS["supplier"], referred)] == [r.rest for r in decode(GRIDS["supplier"], marked)]
