"""Find what an AVP is called and how its value reads."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipelines.mediation.diameter.codes import MANDATORY, THREE_GPP, VENDOR
from pipelines.mediation.diameter.dictionaries import base, credit_control, three_gpp


@dataclass(frozen=True, slots=True)
class Definition:
    """One AVP.

    Attributes:
        vendor: its vendor's number, 0 for those of the RFCs; code: its number.
        kind: how its value reads (`pipelines.mediation.diameter.values`).
        words: what the numbers of an enumerated one mean.
        flags: what it is sent with.
    """

    name: str
    vendor: int
    code: int
    kind: str
    words: dict[int, str] = field(default_factory=dict)

    @property
    def flags(self) -> int:
        """What it is sent with."""
        return (VENDOR if self.vendor else 0) | (0 if self.name in _OPTIONAL else MANDATORY)


_OPTIONAL = frozenset({
    "Error-Message", "Error-Reporting-Host", "Firmware-Revision", "Product-Name", "User-Equipment-Info",
    "User-Equipment-Info-Type", "User-Equipment-Info-Value", "CC-Correlation-Id",
})  # fmt: skip
"""AVPs that are sent without the M bit: whoever does not know them may pass them over."""
NAMED: dict[str, Definition] = {
    name: Definition(name, vendor, code, kind, page.WORDS.get(name, {}))
    for page, vendor in ((base, 0), (credit_control, 0), (three_gpp, THREE_GPP))
    for kind, names in page.AVPS.items()
    for name, code in names.items()
}
"""AVPs by name."""
NUMBERED: dict[tuple[int, int], Definition] = {(found.vendor, found.code): found for found in NAMED.values()}
"""AVPs by vendor and number."""


def name_of(vendor: int, code: int) -> str:
    """Return what an AVP is called: its name, else its numbers."""
    found = NUMBERED.get((vendor, code))
    return found.name if found else f"AVP-{code}" if not vendor else f"Vendor-{vendor}-{code}"
