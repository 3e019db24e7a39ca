"""Rules of calendars and of the lists of days that they name."""

from __future__ import annotations

from datetime import date

from billing.catalog.checking import Context
from billing.catalog.models import Entry, Path
from billing.catalog.wording import choose
from schemas.price_plan import Band, Calendar, DateList

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SUBSCRIPTION_ZONE = "subscription"
LEAP_YEAR = 2000


def check_date_list(ctx: Context, entry: Entry[DateList]) -> None:
    """Check a list of days: none is repeated, and the days of every year exist."""
    listed = entry.document
    ctx.unique(entry, ("dates",), [day.isoformat() for day in listed.dates], "date")
    ctx.unique(entry, ("yearly",), listed.yearly, "day")
    ctx.unique(entry, ("easter",), [str(offset) for offset in listed.easter], "day")
    for index, day in enumerate(listed.yearly):
        _check_month_day(ctx, entry, ("yearly", index), day)
    if not (listed.dates or listed.yearly or listed.easter):
        ctx.problems.at(entry, ("code",), "the list has no day", "add `dates`, `yearly` or `easter`")


def _check_month_day(ctx: Context, entry: Entry[DateList] | Entry[Calendar], path: Path, day: str) -> None:
    try:
        date(LEAP_YEAR, int(day[:2]), int(day[3:]))
    except ValueError:
        ctx.problems.at(entry, path, f'no year has the day "{day}"', "write a day that is there, MM-DD")


def check_calendar(ctx: Context, entry: Entry[Calendar]) -> None:
    """Check a calendar: the zone is known; exactly one band, the last, is the rest; days, seasons and times make sense."""
    calendar = entry.document
    if calendar.zone != SUBSCRIPTION_ZONE:
        ctx.zone(entry, ("zone",), calendar.zone)
    for name, lists in calendar.day_types.items():
        if name in WEEKDAYS:
            fix = 'choose another name, such as "holiday"'
            ctx.problems.at(entry, ("day_types", name), f'"{name}" is a weekday', fix, key=True)
        for index, code in enumerate(lists):
            ctx.reference(entry, ("day_types", name, index), DateList, "date_list", code)
    for name, parts in calendar.seasons.items():
        if not parts:
            fix = "add `{first: MM-DD, last: MM-DD}`"
            ctx.problems.at(entry, ("seasons", name), f'the season "{name}" has no days', fix)
        for index, part in enumerate(parts):
            _check_month_day(ctx, entry, ("seasons", name, index, "first"), part.first)
            _check_month_day(ctx, entry, ("seasons", name, index, "last"), part.last)
    for index, band in enumerate(calendar.bands):
        _check_band(ctx, entry, ("bands", index), band)
        last = index == len(calendar.bands) - 1
        if _is_rest(band) and not last:
            fix = "move it to the end, or give it days, seasons or times"
            ctx.problems.at(entry, ("bands", index), f'the band "{band.name}" is the rest, but not the last band', fix)
        if last and not _is_rest(band):
            fix = "add a last band with only a name"
            ctx.problems.at(entry, ("bands", index), "the last band must be the rest", fix)


def _is_rest(band: Band) -> bool:
    return band.days is None and band.seasons is None and band.start is None and band.end is None


def _check_band(ctx: Context, entry: Entry[Calendar], path: Path, band: Band) -> None:
    ctx.unique(entry, (*path, "days"), band.days or (), "day")
    ctx.unique(entry, (*path, "seasons"), band.seasons or (), "season")
    days = (*WEEKDAYS, *entry.document.day_types)
    for index, day in enumerate(band.days or ()):
        if day not in days:
            message = f'"{day}" is neither a weekday nor a day type of the calendar'
            ctx.problems.at(entry, (*path, "days", index), message, choose(day, days))
    for index, season in enumerate(band.seasons or ()):
        if season not in entry.document.seasons:
            fix = choose(season, entry.document.seasons, otherwise="add it to `seasons` of the calendar")
            ctx.problems.at(entry, (*path, "seasons", index), f'the calendar has no season "{season}"', fix)
    if (band.start is None) != (band.end is None):
        lacking, there = ("start", "end") if band.start is None else ("end", "start")
        ctx.problems.at(entry, (*path, lacking), f"the band has a {there} but no {lacking}", f"add `{lacking}: HH:MM`")
    elif band.start == "24:00":
        ctx.problems.at(entry, (*path, "start"), "a band cannot start at 24:00", 'write "00:00", and the next day')
    elif band.start is not None and band.start == band.end:
        fix = "leave both out for the whole day"
        ctx.problems.at(entry, (*path, "end"), f"the band starts and ends at {band.start}", fix)
