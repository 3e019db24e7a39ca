"""Meter data of other countries as another reader reads them: slowly, by csv, ElementTree and regular expressions."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

MARKET = timezone(timedelta(hours=10))
ATOM, ESPI = "{http://www.w3.org/2005/Atom}", "{http://naesb.org/espi}"
LETTERS = {
    "E": ("EA", "consumption", 1),
    "B": ("EA", "production", 2),
    "Q": ("ER", "consumption", 3),
    "K": ("ER", "production", 4),
}
Row = dict[str, str]


def utc(at: datetime) -> str:
    """Return an instant as columns have it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def text(value: Decimal) -> str:
    """Return a number without zeros at its end."""
    return f"{value.normalize():f}" if value else "0"


def nem12(data: str) -> list[Row]:
    """Return the intervals of a NEM12 file."""
    found: list[Row] = []
    stream: list[str] = []
    lines = list(csv.reader(io.StringIO(data)))
    for number, cells in enumerate(lines, 1):
        if cells[:1] == ["200"]:
            stream = cells
        elif cells[:1] == ["300"]:
            minutes, unit = int(stream[8]), stream[7].upper()
            count = 1440 // minutes
            factor = {"K": 1000, "M": 1_000_000}.get(unit[0], 1)
            measure, direction, quantity = LETTERS[stream[4][0]]
            codes = [_quality(cells[2 + count], cells[3 + count])] * count
            for later in lines[number:]:
                if later[:1] != ["400"]:
                    break
                codes[int(later[1]) - 1 : int(later[2])] = [_quality(later[3], later[4])] * (
                    int(later[2]) - int(later[1]) + 1
                )
            for place, (value, code) in enumerate(zip(cells[2 : 2 + count], codes, strict=True)):
                start = datetime.strptime(cells[1], "%Y%m%d").replace(tzinfo=MARKET) + timedelta(
                    minutes=minutes * place
                )
                found.append({
                    "flow": "NEM12", "point": stream[1], "line": str(number), "start": utc(start),
                    "end": utc(start + timedelta(minutes=minutes)), "step_s": str(60 * minutes),
                    "measure": measure, "direction": direction, "channel": f"1-{stream[4][1]}:{quantity}.29.0",
                    "unit": "Wh" if unit.endswith("WH") else "VArh",
                    "value": "" if code[0] == "N" else text(Decimal(value) * factor), "quality": code, "doubt": "",
                    "nature": {"A": "R", "N": ""}.get(code[0], "E"),
                })  # fmt: skip
    return found


def _quality(code: str, reason: str) -> str:
    return f"{code}/{reason}" if reason else code


def nem13(data: str) -> list[Row]:
    """Return the readings of a NEM13 file."""
    found = []
    for number, cells in enumerate(csv.reader(io.StringIO(data)), 1):
        if cells[:1] == ["250"]:
            for at in (8, 13):
                moment = datetime.strptime(cells[at + 1], "%Y%m%d%H%M%S").replace(tzinfo=MARKET)
                found.append({
                    "flow": "NEM13", "point": cells[1], "line": str(number), "at": utc(moment), "dial": cells[4],
                    "value": text(Decimal(cells[at]) * 1000), "unit": "Wh", "meter": cells[6],
                    "direction": "consumption" if cells[7] == "E" else "production", "doubt": "",
                })  # fmt: skip
    return found


def green_button(data: str) -> list[Row]:
    """Return the intervals of a feed whose one reading type is in Wh."""
    found = []
    for entry in ElementTree.fromstring(data).iter(f"{ATOM}entry"):
        link = next(item.attrib["href"] for item in entry.iter(f"{ATOM}link") if item.attrib["rel"] == "self")
        for reading in entry.iter(f"{ESPI}IntervalReading"):
            start = int(reading.findtext(f".//{ESPI}start") or "")
            seconds = int(reading.findtext(f".//{ESPI}duration") or "")
            found.append({
                "flow": "ESPI", "point": re.search(r"\w+/\d+/UsagePoint/\d+", link)[0],  # type: ignore[index]
                "start": utc(datetime.fromtimestamp(start, UTC)), "end": utc(datetime.fromtimestamp(start + seconds, UTC)),
                "step_s": str(seconds), "value": reading.findtext(f"{ESPI}value") or "", "unit": "Wh",
                "channel": "1-0:1.29.0", "direction": "consumption", "measure": "EA", "doubt": "",
            })  # fmt: skip
    return found


def mscons(data: str) -> list[Row]:
    """Return the values of an interchange in kWh with decimal commas or points, and times with offsets."""
    found: list[Row] = []
    point = channel = ""
    for segment in data[9:].split("'"):
        if segment.startswith("LOC+172+"):
            point = segment[8:]
        elif segment.startswith("PIA+5+"):
            channel = segment[6:].replace("?:", "\0").split(":")[0].replace("\0", ":")
        elif match := re.match(r"QTY\+(\d+):([\d.,]+)", segment):
            value = Decimal(match[2].replace(",", ".")) * 1000
            found.append({"flow": "MSCONS", "point": point, "channel": channel, "quality": match[1], "value": text(value),
                          "unit": "Wh", "measure": "EA"})  # fmt: skip
        elif (
            found and (match := re.match(r"DTM\+(163|164):(\d{12})\?\+(\d\d):303", segment)) and "end" not in found[-1]
        ):
            at = datetime.strptime(match[2], "%Y%m%d%H%M").replace(tzinfo=timezone(timedelta(hours=int(match[3]))))
            found[-1]["start" if match[1] == "163" else "end"] = utc(at)
    return found


def dsmr_p1(data: str) -> list[Row]:
    """Return the indexes of electricity, powers and M-Bus readings of one telegram."""
    names = dict(re.findall(r"^0-(\d):96\.1\.[01]\((\w*)\)", data, re.M))
    belgian = "0-0:96.1.4" in data
    [(clock, season)] = re.findall(r"^0-0:1\.0\.0\((\d{12})([SW])\)", data, re.M)
    found = []
    for number, line in enumerate(data.splitlines(), 1):
        if match := re.match(r"(1-0:([12])\.8\.([12]))\(([\d.]+)\*kWh\)", line):
            low = (match[3] == "1") != belgian
            found.append({"channel": match[1], "at": _p1(clock, season), "value": text(Decimal(match[4]) * 1000), "unit": "Wh",
                          "time_class": "low" if low else "normal", "point": _named(names["0"])})  # fmt: skip
        elif match := re.match(r"(1-0:1\.4\.0)\(([\d.]+)\*kW\)", line):
            found.append(
                {"channel": match[1], "at": _p1(clock, season), "value": text(Decimal(match[2]) * 1000), "unit": "W"}
            )
        elif match := re.match(r"(1-0:1\.6\.0)\((\d+)([SW])\)\(([\d.]+)\*kW\)", line):
            found.append(
                {
                    "channel": match[1],
                    "at": _p1(match[2], match[3]),
                    "value": text(Decimal(match[4]) * 1000),
                    "unit": "W",
                }
            )
        elif line.startswith("0-0:98.1.0"):
            found += [
                {"channel": "1-0:1.6.0", "at": _p1(clock, season), "value": text(Decimal(power) * 1000), "unit": "W"}
                for clock, season, power in re.findall(r"\(\d{12}[SW]\)\((\d{12})([SW])\)\(([\d.]+)\*kW\)", line)
            ]
        elif match := re.match(r"(0-(\d):24\.2\.[13])\((\d+)([SW])\)\(([\d.]+)\*m3\)", line):
            found.append({"channel": match[1], "at": _p1(match[3], match[4]), "value": text(Decimal(match[5])), "unit": "m3",
                          "point": _named(names[match[2]])})  # fmt: skip
        else:
            continue
        for row in found:
            row.setdefault("line", str(number))
            row.setdefault("point", _named(names["0"]))
            row.setdefault("time_class", "")
    return found


def _named(codes: str) -> str:
    try:
        return bytes.fromhex(codes).decode("ascii")
    except ValueError:
        return codes


def _p1(clock: str, season: str) -> str:
    offset = timezone(timedelta(hours=2 if season == "S" else 1))
    return utc(datetime.strptime(clock, "%y%m%d%H%M%S").replace(tzinfo=offset))


def table(data: str, source: Any) -> list[Row]:
    """Return the records of a table, of days without a change of clocks."""
    told, zone, found = source.table, ZoneInfo(source.zone), []
    decimal = {",": lambda said: said.replace(",", "."), ".": str}[told.decimal]
    for line, cells in enumerate(csv.DictReader(io.StringIO(data), delimiter=told.delimiter), 2):
        if told.layout == "long":
            clock = datetime.strptime(f"{cells['Van (datum)']} {cells['Van (tijdstip)']}", "%d-%m-%Y %H:%M:%S")  # noqa: DTZ007
            series = told.series[f"{cells['Register']} {cells['Eenheid']}"]
            steps = [(series, clock, cells["Volume"])]
        elif told.layout == "columns":
            clock = datetime.strptime(cells["time"], "%Y-%m-%d %H:%M")  # noqa: DTZ007
            steps = [(series, clock, cells[name]) for name, series in told.series.items()]
        else:
            clock = datetime.strptime(cells["Giorno"], "%d/%m/%Y")  # noqa: DTZ007
            [series] = told.series.values()
            values = list(cells.values())[1:]
            steps = [(series, clock + timedelta(minutes=15 * place), value) for place, value in enumerate(values)]
        for series, at, value in steps:
            found.append({
                "start" if source.records == "intervals" else "at": utc(at.replace(tzinfo=zone)),
                "value": "" if not value else text(Decimal(decimal(value)) * (1 if series.measure == "volume" else 1000)),
                "channel": series.channel, "direction": series.direction, "line": str(line),
                "point": told.point or cells["EAN-code"].removeprefix('="').removesuffix('"'),
            })  # fmt: skip
    return found


def read_meter_twin(source: Any, data: bytes) -> list[Row]:
    """Return the records of a ready-made source of meter data."""
    if source.table is not None:
        return table(data.decode(), source)
    readers: dict[str, Any] = {
        "nem12": nem12,
        "nem13": nem13,
        "green_button": green_button,
        "mscons": mscons,
        "dsmr_p1": dsmr_p1,
    }
    found: list[Row] = readers[source.code](data.decode())
    return found
