"""docs/ts32298.md, made from the tables: every field of every record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from pipelines.mediation.ber.tags import Choice, Kind, ListOf, Structure, Type
from pipelines.mediation.ber.ts32298 import circuit, common, packet, packet_types, short_message
from pipelines.mediation.ber.ts32298.records import OTHERS, READABLE
from schemas.source_binary import Ts32298Record

WORDS = {
    Kind.INTEGER: "number", Kind.BOOLEAN: "flag", Kind.NULL: "flag", Kind.STRING: "text", Kind.OCTETS: "octets",
    Kind.BITS: "bits", Kind.TBCD: "digits", Kind.ADDRESS: "telephone number", Kind.SMS_ADDRESS: "telephone number",
    Kind.TIMESTAMP: "time", Kind.TIME_ZONE: "time zone", Kind.PLMN: "network", Kind.IP: "address",
}  # fmt: skip
HEAD = """# Fields of TS 32.298

The fields that a [source of TS 32.298](catalog.md#source-ts32298) may name, record by record, with their tags. `list` before a
kind means that the field may occur several times: name the list in `each` to have a record for each. Below a field that refers to
a structure, write that structure's fields after a dot. Of a choice write nothing: its value is whatever is there. Telephone
numbers take `.international` behind their name. This page is made from the tables that the decoder reads; a test keeps it so.

"""


def page() -> str:
    """Return the whole page."""
    names = {id(value): name for module in (common, packet_types, packet, circuit, short_message)
             for name, value in vars(module).items() if isinstance(value, Structure)}  # fmt: skip
    told: dict[str, Structure] = {}
    lines = [HEAD.rstrip("\n"), ""]
    for record in get_args(Ts32298Record):
        tag, table = READABLE[record]
        lines += [f"## {record}", "", f"Choice [{tag}].", "", *_table(table, names, told), ""]
    done: set[str] = set()
    while waiting := [name for name in told if name not in done]:
        for name in waiting:
            done.add(name)
            kind = "a choice" if isinstance(told[name], Choice) else "a structure"
            lines += [f"## {_title(name)}", "", f"This is {kind}.", "", *_table(told[name], names, told), ""]
    others = ", ".join(f"{name} [{tag}]" for name, tag in OTHERS.items())
    lines += ["## Other records", "", f"Known, and always left out: {others}.", ""]
    return "\n".join(lines)


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _table(table: Structure, names: dict[int, str], told: dict[str, Structure]) -> Iterator[str]:
    yield "| field | tag | kind |"
    yield "| --- | --- | --- |"
    for name, (tag, kind) in table.members.items():
        group = "" if tag is None or tag & 3 == 2 else "UNIVERSAL "
        yield f"| {name} | {'–' if tag is None else f'[{group}{tag >> 2}]'} | {_kind(kind, names, told)} |"


def _kind(kind: Type, names: dict[int, str], told: dict[str, Structure]) -> str:
    if isinstance(kind, ListOf):
        return f"list: {_kind(kind.element, names, told)}"
    if isinstance(kind, Kind):
        return WORDS[kind]
    name = names[id(kind)]
    told.setdefault(name, kind)
    return f"[{_title(name)}](#{_title(name).lower().replace(' ', '-')})"
