"""AVPs by name: read and written one by one, and whole messages as a tree for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines.mediation.diameter.codes import Result
from pipelines.mediation.diameter.dictionary import NAMED, NUMBERED, name_of
from pipelines.mediation.diameter.messages import DEPTH_MAX, Avp, UnableToReadMessage, join_avps, split_avps
from pipelines.mediation.diameter.values import KINDS, Wrong

Content = Mapping[str, Any] | Sequence[tuple[str, Any]]
"""What a group holds, by name; where a value is a list, the AVP comes once for each."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def write(name: str, value: Any) -> Avp:
    """Return an AVP of the dictionary; a group's value is its content, or AVPs.

    Raises:
        KeyError: when the dictionary has no such AVP.
        Wrong: when its kind has no such value.
    """
    found = NAMED[name]
    if found.kind == "grouped":
        data = join_avps(value if _is_avps(value) else write_all(value))
    else:
        data = KINDS[found.kind].write(value)
    return Avp(found.code, found.vendor, found.flags, data)


def _is_avps(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(each, Avp) for each in value)


def write_all(content: Content) -> list[Avp]:
    """Return the AVPs that some content is, in its order; a value None is left out.

    Raises:
        KeyError: when the dictionary has no such AVP.
        Wrong: when a kind has no such value.
    """
    pairs = content.items() if isinstance(content, Mapping) else content
    return [
        write(name, each)
        for name, value in pairs
        if value is not None
        for each in (value if isinstance(value, list) else [value])
    ]


class Group:
    """AVPs of one level, found by name. Values are read when they are asked for, so that nobody pays for others."""

    __slots__ = ("_avps", "avps")

    def __init__(self, avps: Sequence[Avp]) -> None:
        """Take the AVPs."""
        self.avps = avps
        by_number: dict[tuple[int, int], list[Avp]] = {}
        for avp in avps:
            by_number.setdefault((avp.vendor, avp.code), []).append(avp)
        self._avps = by_number

    def has(self, name: str) -> bool:
        """Whether there is one."""
        found = NAMED[name]
        return (found.vendor, found.code) in self._avps

    def all(self, name: str) -> list[Any]:
        """Return the values of all AVPs of a name; groups are `Group`.

        Raises:
            UnableToReadMessage: INVALID_AVP_LENGTH or INVALID_AVP_VALUE.
        """
        found = NAMED[name]
        return [read(avp) for avp in self._avps.get((found.vendor, found.code), ())]

    def raw(self, name: str) -> list[Avp]:
        """Return the AVPs of a name as they came."""
        found = NAMED[name]
        return self._avps.get((found.vendor, found.code), [])

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of the first AVP of a name, else the default.

        Raises:
            UnableToReadMessage: INVALID_AVP_LENGTH or INVALID_AVP_VALUE.
        """
        found = NAMED[name]
        there = self._avps.get((found.vendor, found.code))
        return read(there[0]) if there else default

    def need(self, name: str) -> Any:
        """Return the value of the first AVP of a name.

        Raises:
            UnableToReadMessage: MISSING_AVP, INVALID_AVP_LENGTH or INVALID_AVP_VALUE.
        """
        found = NAMED[name]
        there = self._avps.get((found.vendor, found.code))
        if not there:
            example = Avp(found.code, found.vendor, found.flags, bytes(_bytes_min(found.kind)))
            raise UnableToReadMessage(Result.MISSING_AVP, f"{name} is missing", failed=[example])
        return read(there[0])


def _bytes_min(kind: str) -> int:
    return 0 if kind == "grouped" else KINDS[kind].bytes_min


def read(avp: Avp) -> Any:
    """Return the value of an AVP: of a group a `Group`, of one without name its bytes.

    Raises:
        UnableToReadMessage: INVALID_AVP_LENGTH or INVALID_AVP_VALUE, with what Failed-AVP has (RFC 6733 §7.5).
    """
    found = NUMBERED.get((avp.vendor, avp.code))
    if found is None:
        return avp.data
    if found.kind == "grouped":
        try:
            return Group(split_avps(avp.data))
        except UnableToReadMessage as error:
            inner = join_avps(error.failed)
            error.failed = (avp._replace(data=inner),)
            raise
    kind = KINDS[found.kind]
    try:
        return kind.read(avp.data)
    except Wrong as error:
        result = Result.INVALID_AVP_LENGTH if error.is_length else Result.INVALID_AVP_VALUE
        failed = avp._replace(data=bytes(kind.bytes_min)) if error.is_length else avp
        raise UnableToReadMessage(result, f"{found.name}: {error}", failed=[failed]) from error


@dataclass(frozen=True, slots=True)
class Field:
    """One AVP for people.

    Attributes:
        value: an integer, a text, bytes, or the fields of a group. Instants are ISO 8601.
        word: what an enumerated value or a result means, "" when nobody says.
        problem: what is wrong with it; then the value is its bytes.
    """

    name: str
    avp: Avp
    value: Any
    word: str = ""
    problem: str = ""


def fields_of(avps: Sequence[Avp], depth: int = 0) -> Iterator[Field]:
    """Yield AVPs as fields; what cannot be read is told, and nothing raised."""
    for avp in avps:
        found = NUMBERED.get((avp.vendor, avp.code))
        name = name_of(avp.vendor, avp.code)
        if found is not None and found.kind == "grouped":
            if depth == DEPTH_MAX:
                yield Field(name, avp, avp.data, problem=f"groups lie more than {DEPTH_MAX} deep")
                continue
            try:
                yield Field(name, avp, tuple(fields_of(split_avps(avp.data), depth + 1)))
            except UnableToReadMessage as error:
                yield Field(name, avp, avp.data, problem=str(error))
            continue
        try:
            value = read(avp)
        except UnableToReadMessage as error:
            yield Field(name, avp, avp.data, problem=str(error))
            continue
        word = ""
        if found is not None and found.kind == "time":
            value = (EPOCH + timedelta(seconds=value)).isoformat().replace("+00:00", "Z")
        elif found is not None and found.kind == "enumerated":
            word = found.words.get(value, "")
        elif name == "Result-Code" and value in _RESULTS:
            word = f"DIAMETER_{Result(value).name}"
        yield Field(name, avp, value, word)


_RESULTS = frozenset(map(int, Result))
