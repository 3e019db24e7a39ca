"""What a source of Enedis asks besides its mapping: which flow counts, and what is too much to be true."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from mediation_world import SECRET
from template_world import load

from pipelines.mediation.columns.rows import columns_of
from pipelines.mediation.context import DecodeContext
from pipelines.mediation.decode import decode_blocks, describe, make_decoder
from pipelines.mediation.enedis.decoder import read_pieces
from pipelines.mediation.enedis.policy import Policy
from pipelines.mediation.explain import raw_record
from schemas.energy import RecordKind
from schemas.rejection import Reason
from schemas.source_energy import Bounds

POINT, OTHER = "09111642617347", "30001642617347"
NAMES = ("flow", "point", "version", "start", "value", "doubt")
BOUNDS = Bounds(power_w=3000, points={OTHER: 100_000})
"""3 kVA are 3900 W with their margin, and 93.6 kWh in a day."""


def read(data: str, policy: Policy) -> list[dict[str, str]]:
    """Return some columns of the records of a file."""
    rows: list[dict[str, str]] = []
    for piece in read_pieces(io.BytesIO(data.encode()), policy, NAMES):
        columns: Any = columns_of(piece, NAMES) if isinstance(piece, list) else piece
        rows += [dict(zip(NAMES, row, strict=True)) for row in zip(*(c.to_pylist() for c in columns), strict=True)]
    return rows


def r50(*powers: object, point: str = POINT, odd: str = "") -> str:
    """Return an R50 of half hours with these powers."""
    head = "<En_Tete_Flux><Date_Creation>2026-02-02T03:00:00+01:00</Date_Creation><Pas_Publication>30</Pas_Publication></En_Tete_Flux>"
    points = "".join(
        f"<PDC><H>2026-01-01T{hour:02}:30:00+01:00</H><V>{power}</V></PDC>{odd}" for hour, power in enumerate(powers)
    )
    return f"<R50>{head}<PRM><Id_PRM>{point}</Id_PRM><Donnees_Releve>{points}</Donnees_Releve></PRM></R50>"


def r63(*powers: object, unit: str = "W", odd: bool = False, point: str = POINT) -> str:
    """Return an R63 of half hours with these powers."""
    points = [{"v": str(power), "d": f"2026-01-01 {hour:02}:30:00", "p": "PT30M", "n": "B"} | ({"x": 1} if odd else {})
              for hour, power in enumerate(powers)]  # fmt: skip
    quantity = {"grandeurMetier": "CONS", "grandeurPhysique": "PA", "unite": unit, "points": points}
    return json.dumps({"mesures": [{"idPrm": point, "etapeMetier": "BRUT", "grandeur": [quantity]}]})


@pytest.mark.parametrize("odd", [False, True], ids=["kernel", "parser"])
def test_steps_above_the_bound_are_doubted_whichever_way_they_are_read(odd: bool) -> None:
    policy = Policy("intervals", {}, BOUNDS)
    told = ["", "", "3901 W are above the bound of 3900 W", "999999 W are above the bound of 3900 W"]
    assert [row["doubt"] for row in read(r50(0, 3900, 3901, 999_999, odd="<a/>" if odd else ""), policy)] == told
    assert [row["doubt"] for row in read(r63(0, 3900, 3901, 999_999, odd=odd), policy)] == told
    assert [row["doubt"] for row in read(r63(130_000, 130_001, odd=odd, point=OTHER), policy)] == [
        "", "130001 W are above the bound of 130000 W",
    ]  # fmt: skip
    assert [bool(row["doubt"]) for row in read(r63(3, 4, unit="kW", odd=odd), policy)] == [False, True]
    assert [row["doubt"] for row in read(r63(9999, unit="V", odd=odd), policy)] == [""]


def test_44_mwh_in_a_day_are_too_much_for_3_kva() -> None:
    """And 93.6 kWh are not; neither is a regularisation of as much. Largest powers are bounded, too."""
    policy = Policy("quantities", {}, BOUNDS)

    def day(value: str, end: str = "2026-01-02T23:00:00Z") -> str:
        row = {"flow": "R65", "point": POINT, "version": "0", "unit": "Wh", "value": value,
               "start": "2026-01-01T23:00:00Z", "end": end}  # fmt: skip
        return policy.judged(row).get("doubt", "")

    assert day("44000000") == "44000000 Wh are more than 3900 W can be from 2026-01-01T23:00:00Z"
    assert [day("93600"), day("-93600"), bool(day("93601")), bool(day("-93601"))] == ["", "", True, True]
    assert [day("x"), day("1", end=""), day("93601", end="2026-01-03T23:00:00Z")] == ["", "", ""]
    largest = {"flow": "R66", "point": POINT, "version": "0", "measure": "PMA1", "unit": "kVA"}
    readings = Policy("readings", {}, BOUNDS)
    assert readings.judged(largest | {"value": "3.9"}).get("doubt", "") == ""
    assert readings.judged(largest | {"value": "4"})["doubt"] == "4000 W are above the bound of 3900 W"
    assert readings.judged(largest | {"value": "44", "measure": "EA"}).get("doubt", "") == ""
    doubted = largest | {"value": "4", "doubt": "IV is 1"}
    assert readings.judged(doubted) == doubted


def test_a_flow_that_comes_first_counts_whenever_it_was_made() -> None:
    policy = Policy("intervals", {"R63": 2, "R50": 1})
    (later,), (better,) = read(r50(1), policy), read(r63(1), policy)
    assert int(better["version"]) > int(later["version"]) > int(read(r50(1), Policy("intervals"))[0]["version"])
    assert int(better["version"]) < 10**18  # what a version may be
    unusual = read(r63(1, odd=True), policy)
    assert unusual == [better]


def decoder_of(tmp_path: Path, name: str, **changes: Any) -> Any:
    """Return the decoder of a ready-made source, changed."""
    catalog = load(name, tmp_path / name)
    codes = {code: number for number, code in enumerate(catalog.event_types, 1)}
    source = catalog.sources[name].model_copy(update=changes)
    return make_decoder(DecodeContext("acme", source, catalog.event_types, codes, catalog.units, {"": 0}, SECRET))


def test_what_is_held_back_is_released_by_a_correction(tmp_path: Path) -> None:
    decoder = decoder_of(tmp_path, "enedis_r50", bounds=BOUNDS, priority=("R50",))
    (block,) = decode_blocks(decoder, io.BytesIO(r50(100, 999_999).encode()), claim=1)
    assert [Reason(int(reason)) for reason in block.reason] == [Reason.NONE, Reason.DOUBTFUL_READING]
    assert describe(decoder, block, 1) == "line 1: 999999 W are above the bound of 3900 W"
    kind: RecordKind = "intervals"
    corrected = json.dumps({kind: [json.loads(raw_record(block, 1)) | {"doubt": ""}]})
    (again,) = decode_blocks(decoder, io.BytesIO(corrected.encode()), claim=2)
    assert (int(again.reason[0]), int(again.quantity[0])) == (0, int(Decimal(999_999) / 2 * 1000))
    assert again.version is not None
    assert block.version is not None
    assert again.version[0] == block.version[1]
