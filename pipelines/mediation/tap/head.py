"""What a TAP file says before and after its events: who sent it, in which money and times, and its own sums."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.tap.elements import Element, Piece
from pipelines.mediation.tap.tags import ACCOUNTING_INFO, NETWORK_INFO

SENDER, RECIPIENT, FILE_SEQUENCE_NUMBER = 196, 182, 109
SPECIFICATION_VERSION, RELEASE_VERSION, FILE_TYPE = 201, 189, 110
LOCAL_CURRENCY, TAP_CURRENCY, DECIMAL_PLACES = 135, 210, 244
CONVERSIONS, CONVERSION, RATE_CODE, RATE_PLACES, RATE = 80, 106, 105, 159, 104
OFFSETS, OFFSET_INFO, OFFSET_CODE, OFFSET = 234, 233, 232, 231
ENTITIES, ENTITY, ENTITY_CODE, ENTITY_TYPE, ENTITY_ID = 188, 183, 184, 186, 400
LOCAL_TIME = 16

SPECIFICATION = 3
RELEASE_MAX = 12
PLACES_MAX = 12
CODE_MAX = 1 << 31
OFFSET_MAX_S = 15 * 3_600
TEST = "T"
_OFFSET = re.compile(r"([+-])(\d\d)([0-5]\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Head:
    """What holds for all events of a file.

    Attributes:
        sender, recipient: networks; sequence: the file's number between them, as it is written.
        specification, release: versions; test: the file is marked as a test.
        local_currency, tap_currency: currencies; places: decimals of its amounts, None when it does not say.
        rates: code -> exchange rate as text; offsets: code -> seconds east of UTC.
        entities: code -> (type, identifier) of a recording entity.
    """

    sender: str
    recipient: str
    sequence: str
    specification: int | None
    release: int | None
    test: bool
    local_currency: str
    tap_currency: str
    places: int | None
    rates: dict[int, str]
    offsets: dict[int, int]
    entities: dict[int, tuple[str, str]]

    @property
    def fields(self) -> dict[str, str]:
        """The file's fields by name."""
        return {
            "sender": self.sender,
            "recipient": self.recipient,
            "fileSequenceNumber": self.sequence,
            "specificationVersionNumber": "" if self.specification is None else str(self.specification),
            "releaseVersionNumber": "" if self.release is None else str(self.release),
            "localCurrency": self.local_currency,
            "tapCurrency": self.tap_currency,
            "tapDecimalPlaces": "" if self.places is None else str(self.places),
        }


FILE_FIELDS = (
    "sender", "recipient", "fileSequenceNumber", "specificationVersionNumber", "releaseVersionNumber", "localCurrency",
    "tapCurrency", "tapDecimalPlaces",
)  # fmt: skip
"""Fields that are the same for all events of a file."""


def wrong(what: str) -> UnableToDecodeFile:
    """Return the refusal of a file whose head contradicts itself."""
    return UnableToDecodeFile("MALFORMED_HEADER", what)


def read_head(piece: Piece, batch: Element, control: Element | None) -> Head:
    """Return the head of a file.

    Args:
        piece: its first bytes.
        batch: the outermost element, as far as it comes before the events.
        control: the element that says who sent the file: batchControlInfo, or a notification itself.

    Raises:
        UnableToDecodeFile: MALFORMED_HEADER or UNSUPPORTED_VERSION.
    """
    accounting = batch.find(ACCOUNTING_INFO)
    numbers = (SENDER, RECIPIENT, FILE_SEQUENCE_NUMBER, FILE_TYPE)
    found = {number: piece.text(control.find(number) if control else None) for number in numbers}
    for number, name in ((SENDER, "sender"), (RECIPIENT, "recipient"), (FILE_SEQUENCE_NUMBER, "fileSequenceNumber")):
        if not found[number]:
            raise wrong(f"the file names no {name}")
    places = piece.integer(None if accounting is None else accounting.find(DECIMAL_PLACES))
    if places is not None and not 0 <= places <= PLACES_MAX:
        raise wrong(f"tapDecimalPlaces is {places}, not 0 to {PLACES_MAX}")
    head = Head(
        sender=found[SENDER],
        recipient=found[RECIPIENT],
        sequence=found[FILE_SEQUENCE_NUMBER],
        specification=piece.integer(control.find(SPECIFICATION_VERSION) if control else None),
        release=piece.integer(control.find(RELEASE_VERSION) if control else None),
        test=found[FILE_TYPE] == TEST,
        local_currency=piece.text(accounting.find(LOCAL_CURRENCY) if accounting else None),
        tap_currency=piece.text(accounting.find(TAP_CURRENCY) if accounting else None),
        places=places,
        rates=_read_rates(piece, batch.find(ACCOUNTING_INFO, CONVERSIONS)),
        offsets=_read_offsets(piece, batch.find(NETWORK_INFO, OFFSETS)),
        entities=_read_entities(piece, batch.find(NETWORK_INFO, ENTITIES)),
    )
    if head.specification != SPECIFICATION or head.release is None or not 1 <= head.release <= RELEASE_MAX:
        version = f"{head.specification}.{head.release}"
        raise UnableToDecodeFile("UNSUPPORTED_VERSION", f"TAP {version} is not read; {SPECIFICATION}.{RELEASE_MAX} is")
    return head


def _code(piece: Piece, entry: Element, number: int, known: Mapping[int, object], name: str) -> int:
    code = piece.integer(entry.find(number))
    if code is None or not 0 <= code < CODE_MAX:
        raise wrong(f"{name} has an entry without a code")
    if code in known:
        raise wrong(f"{name} has the code {code} twice")
    return code


def _read_rates(piece: Piece, conversions: Element | None) -> dict[int, str]:
    rates: dict[int, str] = {}
    for entry in conversions.all(CONVERSION) if conversions else ():
        code = _code(piece, entry, RATE_CODE, rates, "currencyConversionInfo")
        rate, places = piece.integer(entry.find(RATE)), piece.integer(entry.find(RATE_PLACES))
        if rate is None or places is None or rate <= 0 or rate >= 1 << 62 or not 0 <= places <= PLACES_MAX:
            raise wrong(f"exchange rate {code} is {rate} with {places} decimals")
        digits = str(rate).rjust(places + 1, "0")
        rates[code] = digits if places == 0 else f"{digits[:-places]}.{digits[-places:]}"
    return rates


def read_offset(text: str) -> int | None:
    """Return the seconds east of UTC of `±hhmm`, None when the text is no offset."""
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    seconds = int(match[2]) * 3_600 + int(match[3]) * 60
    return None if seconds > OFFSET_MAX_S else -seconds if match[1] == "-" else seconds


def _read_offsets(piece: Piece, infos: Element | None) -> dict[int, int]:
    offsets: dict[int, int] = {}
    for entry in infos.all(OFFSET_INFO) if infos else ():
        code = _code(piece, entry, OFFSET_CODE, offsets, "utcTimeOffsetInfo")
        text = piece.text(entry.find(OFFSET))
        seconds = read_offset(text)
        if seconds is None:
            raise wrong(f"UTC time offset {code} is {text!r}, not ±hhmm")
        offsets[code] = seconds
    return offsets


def _read_entities(piece: Piece, infos: Element | None) -> dict[int, tuple[str, str]]:
    entities: dict[int, tuple[str, str]] = {}
    for entry in infos.all(ENTITY) if infos else ():
        code = _code(piece, entry, ENTITY_CODE, entities, "recEntityInfo")
        kind = piece.integer(entry.find(ENTITY_TYPE))
        entities[code] = "" if kind is None else str(kind), piece.text(entry.find(ENTITY_ID))
    return entities
