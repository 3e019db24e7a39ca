"""Laws of French flows, from files to lines: permuted, sent again, split and joined they end alike; what is annulled comes to nothing."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cli_octroi import balanced, octroi, query
from flow_laws import FLOWS, write_flows
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

VARIANTS = 3
LINES = """
SELECT access_point AS point, charge, toString(event_at) AS at, toString(sum(quantity)) AS quantity, toString(sum(amount)) AS amount
FROM rated_item GROUP BY point, charge, at ORDER BY point, charge, at
"""
STANDING = """
SELECT access_point AS point, toString(event_at) AS at, toString(quantity) AS quantity, toString(amount) AS amount
FROM rated_item WHERE status = 'rated' ORDER BY point, at, quantity
"""
SETTLED = {
    # by hand: what stands of each flow, in kWh, EUR or W, by time
    "R15": "100 44 -7 0",
    "R15 annulled": "0",
    "R17": "850 7 0",
    "R17 annulled": "0",
    "R67": "90 33",
    "R67 annulled": "0",
    "R50": "1.5 1 0.5015",
    "R63": "0.21 0.24 0.305",
    "R63 completed": "0.065 0.085",
    "R4x": "11 12",
    "HDM": "0.505 1",
    "R65": "21.8 0.099",
    "R66": "5130 4000",
    # 5 by days: 11 of January, 9 of February; 104 behind zero is 114 more; the new meter from 40 to 90, to 243 (9 and 14 of 23 days), to 300
    "R151, C15, R15 and R64": "2.75 2.25 114 50 59.87 93.13 57",
    "R171": "1000 92",
    "C15": "1 1",
    "C68": "1 1",
    "F15": "12.34 1.01 -12.34",
    "F12": "32.74 5.81 -32.74",
    "ADICT": "110 50",
}


def _point(flow: int, variant: int) -> str:
    return f"{flow + 10:02}{variant:012}"


def _by_variant(rows: list[dict[str, Any]]) -> dict[str, list[list[tuple[str, ...]]]]:
    """Return, of each flow, what each of its points has."""
    found: dict[str, list[list[tuple[str, ...]]]] = {}
    for number, flow in enumerate(FLOWS):
        for variant in range(VARIANTS):
            mine = [row for row in rows if row["point"] == _point(number, variant)]
            found.setdefault(flow.name, []).append(
                [tuple(str(text) for name, text in row.items() if name != "point") for row in mine]
            )
    return found


def _without_nothing(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return [row for row in rows if Decimal(row[-2]) or Decimal(row[-1])]


@settings(max_examples=1, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32))
def test_any_order_of_files_ends_in_the_same_lines(seed: int) -> None:
    chance = random.Random(seed)
    with TemporaryDirectory() as temporary:
        points = [_point(flow, variant) for flow in range(len(FLOWS)) for variant in range(VARIANTS)]
        data = write_flows(Path(temporary) / "data", points)
        octroi("run", data).ok()
        later = []
        for number, flow in enumerate(FLOWS):
            for variant in range(VARIANTS):
                files = flow.arrivals(_point(number, variant), chance)
                cut = chance.randint(0, len(files))
                _drop(data, flow.source, files[:cut], chance)
                later.append((flow.source, files[cut:]))
        octroi("energy", "create", "--data", data).ok()
        if chance.randint(0, 1):
            octroi("energy", "execute", "--data", data).ok()
        for source, files in later:
            _drop(data, source, files, chance)
        octroi("energy", "create", "--data", data).ok()
        octroi("energy", "execute", "--data", data).ok()
        balanced(data)
        for flow_name, lines in _by_variant(query(data, LINES)).items():
            first, *others = [_without_nothing(rows) for rows in lines]
            assert all(other == first for other in others), flow_name
            if flow_name.endswith("annulled"):
                assert first == [], flow_name
        for flow_name, standing in _by_variant(query(data, STANDING)).items():
            wanted = sorted(Decimal(text) for text in SETTLED[flow_name].split() if Decimal(text))
            for rows in standing:
                quantities = sorted(Decimal(row[1]) for row in rows if Decimal(row[1]))
                assert quantities == wanted, flow_name
        before = query(data, LINES)
        octroi("energy", "create", "--data", data).ok()
        octroi("energy", "execute", "--data", data).ok()
        assert query(data, LINES) == before


def _drop(data: Path, source: str, files: list[str], chance: random.Random) -> None:
    folder = data / "spool" / source
    folder.mkdir(parents=True, exist_ok=True)
    for text in files:
        (folder / f"{chance.getrandbits(64):020}").write_text(text)
