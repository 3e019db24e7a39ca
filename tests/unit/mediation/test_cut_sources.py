"""Sources that cut their intervals: every flow's records are those of the twin, whichever way they are read; what is odd is parked."""

from __future__ import annotations

import io
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from mediation_world import SECRET
from meter_messages import BEGIN, WATT_HOURS, feed, kind, reading
from template_world import load

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.context import DecodeContext
from pipelines.mediation.decode import check_file, decode_blocks, describe, make_decoder
from pipelines.mediation.enedis.decoder import read_rows as read_french
from pipelines.mediation.enedis.grains import cut_rows
from pipelines.mediation.enedis.words import EPOCH, written
from pipelines.mediation.intervals.decoder import asked_by, read_rows
from schemas.rejection import Reason

DAY = ",".join(f"0.{value:03}" for value in range(48))
NEM12 = (
    "100,NEM12,202601160102,MDP,RETAILER\n200,NEM1200000,E1B1,E1,E1,N1,M1,kWh,30,\n"
    f"300,20260115,{DAY},V,,,20260116000000,\n400,1,40,A,,\n400,41,48,N,,\n"
    f"200,NEM1200000,E1Q1,Q1,Q1,N1,M1,kvarh,30,\n300,20260115,{DAY},A,,,20260116000000,\n900\n"
)
ESPI = feed("1:" + "".join(reading(BEGIN + 3600 * n, 3600, 1001 + n) for n in range(5)), types=kind(1, **WATT_HOURS))
R50 = (
    "<R50><En_Tete_Flux><Identifiant_Flux>R50</Identifiant_Flux><Pas_Publication>30</Pas_Publication></En_Tete_Flux><PRM>"
    "<Id_PRM>09111642617347</Id_PRM><Donnees_Releve><Date_Releve>2026-01-15</Date_Releve>{}</Donnees_Releve></PRM></R50>"
).format("".join(f"<PDC><H>2026-01-15T{n:02}:30:00+01:00</H><V>{n}77</V><IV>{n % 2}</IV></PDC>" for n in range(10)))
FILES = {"nem12": NEM12, "green_button": ESPI, "enedis_r50": R50}


def decoder_of(directory: Path, name: str, **changes: Any) -> Any:
    """Return the decoder of a ready-made source, changed."""
    catalog = load(name, directory / name)
    codes = {code: number for number, code in enumerate(catalog.event_types, 1)}
    source = catalog.sources[name].model_copy(update=changes)
    return make_decoder(DecodeContext("acme", source, catalog.event_types, codes, catalog.units, {"": 0}, SECRET))


def usage(decoder: Any, data: str) -> list[tuple[int, int, str]]:
    """Return (event time in s, quantity in mWh, reason) of all records."""
    check_file(decoder, io.BytesIO(data.encode()))
    return [
        (int(block.event_at[row]) // 10**6, int(block.quantity[row]), Reason(int(block.reason[row])).name)
        for block in decode_blocks(decoder, io.BytesIO(data.encode()), claim=1)
        for row in range(len(block))
    ]


def rows_of(name: str, decoder: Any, data: str) -> list[Row]:
    """Return what a file says as other paths read it, row by row."""
    stream = io.BytesIO(data.encode())
    if name.startswith("enedis"):
        return list(read_french(stream, "intervals"))
    return list(read_rows(stream, asked_by(decoder.source)))


@pytest.mark.parametrize("name", FILES)
def test_records_are_those_of_the_twin(name: str, tmp_path: Path) -> None:
    decoder = decoder_of(tmp_path, name, cut_minutes=5)
    found = usage(decoder, FILES[name])
    whole = rows_of(name, decoder, FILES[name])
    wanted = list(cut_rows(whole, 5))
    assert len(found) == len(wanted) == len(whole) * (12 if name == "green_button" else 6)
    measured = decoder.source.mapping.quantity.field
    counted = [one for one in zip(found, wanted, strict=True) if one[0][2] == "NONE"]
    assert counted
    for (at, quantity, _), row in counted:
        assert (written(EPOCH + timedelta(seconds=at)), Decimal(quantity)) == (
            row["start"],
            Decimal(row[measured]) * 1000,
        )
    # what is cut adds up to what is not
    before = usage(decoder_of(tmp_path / "whole", name, cut_minutes=None), FILES[name])
    assert {reason for *_, reason in found} == {reason for *_, reason in before}
    assert sum(one[1] for one in before if one[2] == "NONE") == sum(one[1] for one in found if one[2] == "NONE") > 0


def test_a_step_between_grains_is_parked_with_its_line_and_all_others_count(tmp_path: Path) -> None:
    day = reading(BEGIN + 86_400, 86_400, 8)  # of a channel of its own
    odd = feed("1:" + reading(BEGIN, 900, 8) + reading(BEGIN + 900, 450, 8) + day, types=kind(1, **WATT_HOURS))
    decoder = decoder_of(tmp_path, "green_button", cut_minutes=15)
    reasons = [reason for *_, reason in usage(decoder, odd)]  # the shortest come first
    assert reasons == ["DOUBTFUL_READING", "NONE", "FILTERED_BY_SOURCE"]
    (block,) = decode_blocks(decoder, io.BytesIO(odd.encode()), claim=1)
    assert "2026-01-01T00:15:00Z to 2026-01-01T00:22:30Z is no whole number of 15 minutes" in describe(
        decoder, block, 0
    )


@pytest.mark.parametrize("minutes", [5, 15])
def test_a_day_of_other_steps_has_the_same_identities(minutes: int, tmp_path: Path) -> None:
    decoder, keys = decoder_of(tmp_path, "nem12", cut_minutes=5), []
    for step in (30, minutes):
        values = ",".join(["0.25"] * (1440 // step))
        data = (
            f"100,NEM12,202601160102,A,B\n200,N,E1,,E1,,M,kWh,{step},\n300,20260115,{values},A,,,20260116000000,\n900\n"
        )
        blocks = list(decode_blocks(decoder, io.BytesIO(data.encode()), claim=1))
        keys.append([(hi, lo) for block in blocks for hi, lo in zip(block.key_hi, block.key_lo, strict=True)])
    assert keys[0] == keys[1]
    assert len(set(keys[0])) == 288
