"""Which pieces of a fee are due: cases worked out by hand."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from billing.subscriptions.rules_fees import days_in_force, pieces
from schemas.fees import RecurringCharge
from schemas.price_plan import utc_microseconds

ZONE = "Europe/Paris"
DUE = """
terms                                        start             end               until       pieces
in_advance                                   2026-01-01        -                 2026-01-01  -
in_advance                                   2026-01-01        -                 2026-01-02  01-01+31=1
-                                            2026-01-01        -                 2026-01-31  -
-                                            2026-01-01        -                 2026-02-01  01-01+31=1
in_advance                                   2026-04-16        -                 2026-05-01  04-16+15=1/2
in_advance,prorate_start=false               2026-04-16        -                 2026-05-01  04-16+15=1
-                                            2026-04-16        2026-04-20        2026-04-20  04-16+4=2/15
-                                            2026-04-16        2026-04-20        2026-04-19  -
prorate_end=false                            2026-04-16        2026-04-20        2026-04-20  04-16+4=1/2
in_advance,anchor=subscription               2026-01-31        -                 2026-03-31  01-31+28=1 02-28+31=1
in_advance,anchor=2026-01-15,every=2_month   2026-01-01        -                 2026-01-16  01-01+14=14/61 01-15+59=1
in_advance,every=1_week                      2026-01-01        -                 2026-01-06  01-01+4=4/7 01-05+7=1
in_advance,every=1_year                      2026-07-01        -                 2026-07-02  07-01+184=184/365
in_advance,basis=thirty_360                  2026-01-31        -                 2026-03-01  01-31+1=1/30 02-01+28=1
in_advance,basis=actual_365                  2026-01-01        -                 2026-01-02  01-01+31=372/365
in_advance,priced_per=year,basis=month_12    2024-02-01        2024-02-21        2024-02-22  02-01+20=5/87
in_advance,priced_per=year,basis=actual_365  2024-02-01        2024-02-21        2024-02-22  02-01+20=4/73
in_advance,priced_per=year,basis=actual_actual  2024-02-01     2024-02-21        2024-02-22  02-01+20=10/183
in_advance,priced_per=year,basis=actual_360  2024-02-01        2024-02-21        2024-02-22  02-01+20=1/18
in_advance,priced_per=year                   2024-02-01        -                 2024-02-02  02-01+29=1/12
in_advance,every=2_month,anchor=2023-12-01,basis=actual_actual  2023-12-01  -    2023-12-02  12-01+62=22661/22265
in_advance                                   2026-04-16T14:00  2026-04-16T18:00  2026-05-01  -
in_advance,end_day=charged                   2026-04-16T14:00  2026-04-16T18:00  2026-05-01  04-16+1=1/30
in_advance,start_day=free                    2026-04-16T14:00  -                 2026-05-01  04-17+14=7/15
in_advance,changes=2026-01-11                2026-01-01        -                 2026-01-02  01-01+10=10/31 01-11+21=21/31
in_advance,changes=2026-01-11T12:00          2026-01-01        -                 2026-01-02  01-01+11=11/31 01-12+20=20/31
in_advance,prorate_start=false,changes=2026-01-21  2026-01-11  -                 2026-01-12  01-11+10=20/31 01-21+11=11/31
"""


def _instant(text: str) -> int | None:
    return None if text == "-" else utc_microseconds(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)))


@pytest.mark.parametrize("row", DUE.strip().splitlines()[1:])
def test_what_is_due_of_a_fee(row: str) -> None:
    terms, start, end, until, *expected = row.split()
    said = dict(part.partition("=")[::2] for part in terms.split(",") if part != "-")
    changes = [_instant(said.pop("changes"))] if "changes" in said else []
    fields = {name: value.replace("_", " ", 1) if name == "every" else value or True for name, value in said.items()}
    fee = RecurringCharge.model_validate(
        {"kind": "recurring_charge", "code": "f", "price_plan": "p", "zone": ZONE, **fields}
    )
    began = _instant(start)
    assert began is not None
    first, after = days_in_force(fee, began, _instant(end))
    found = pieces(fee, first, after, date.fromisoformat(until), [at for at in changes if at is not None])
    told = [f"{piece.days.start:%m-%d}+{piece.days.days}={piece.quantity}" for piece in found]
    assert told == [text for text in expected if text != "-"]
