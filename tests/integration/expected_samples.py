"""What the public samples of ../shared/samples must come to, and how to write the catalogs that rate them.

Counts, quantities and money are written down as numbers; test_expected_samples.py computes them again with csv,
Decimal and Fraction only.
"""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

from benchmarks.recount import Recount

SAMPLES = Path(__file__).resolve().parents[2] / ".." / "shared" / "samples"
CATALOGS = Path(__file__).resolve().parent / "sample_catalogs"

ASTERISK_SAMPLE = SAMPLES / "telco" / "sip_cdr" / "own_asterisk_master.csv"
FIXED_WIDTH_SAMPLE = SAMPLES / "telco" / "sip_cdr" / "own_fixed_width.cdr"
FOCUS_SAMPLE = SAMPLES / "telco" / "cloud" / "focus_1.0_sample.csv"
R151_SAMPLE = SAMPLES / "energy" / "fr_enedis_samples" / "electricore" / "r151.xml"

FOCUS_STRANGER = "69460568468"
"""The sub-account that no subscription owns."""


def write_sample_catalog(name: str, directory: Path) -> None:
    """Write the catalog of one sample ("asterisk", "fixed_width", "focus" or "r151", which is also its source's code)."""
    shutil.copytree(CATALOGS / name, directory, dirs_exist_ok=True)
    if name == "focus":
        _write_focus_subscriptions(directory / "subscriptions.csv")


def _write_focus_subscriptions(path: Path) -> None:
    with FOCUS_SAMPLE.open(encoding="utf-8", newline="") as file:
        sub_accounts = sorted({row["SubAccountId"] for row in csv.DictReader(file)} - {FOCUS_STRANGER})
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["account", "currency", "subscription", "offer", "access_point"])
        for number, sub_account in enumerate(sub_accounts, 1):
            writer.writerow([f"account-{number:02d}", "USD", f"subscription-{number:02d}", "cloud", sub_account])


# Three lines: an answered call of 240 s, an unanswered one, the first again. It starts at 19:58:23 in Paris, by day.
# 240 s are 60 s and 25.7 steps of 7 s: 60 + 26 * 7 = 242 s. 242 / 60 * 0.2345 + 0.05 = 0.99581666... -> 0.995817 EUR.
ASTERISK = Recount(
    records=3,
    accepted=1,
    duplicates=1,
    filtered=1,
    rated=1,
    rated_by_charge={"voice": 1},
    quantity_by_charge={"voice": 240_000},
    rated_quantity_by_charge={"voice": 242_000},
    amount_by_charge={"voice": 995_817_000},
    amount_by_currency={"EUR": 995_817_000},
)

# Three records between header and trailer: the same call of 240 s at 19:58:30 in Paris, by day, hence the same price; a call
# of 0 s, which costs nothing; a forwarding, which the source leaves out.
FIXED_WIDTH = Recount(
    records=3,
    accepted=2,
    filtered=1,
    rated=2,
    rated_by_charge={"voice": 2},
    quantity_by_charge={"voice": 240_000},
    rated_quantity_by_charge={"voice": 242_000},
    amount_by_charge={"voice": 995_817_000},
    amount_by_currency={"EUR": 995_817_000},
)

# One meter, one day: four indexes of the distributor's grid and one of the supplier's.
# HCB 15 670 608 - 15 668 000 = 2 608 Wh at 0.1234: 0.3218272 -> 0.321827 EUR
# HCH  6 107 897 -  6 107 897 = 0
# HPB 12 823 285 - 12 818 285 = 5 000 Wh at 0.1789: 0.8945 EUR
# HPH has no opening reading: it opens its register.
R151 = Recount(
    records=5,
    accepted=3,
    filtered=1,
    absorbed=1,
    rated=3,
    rated_by_charge={"electricity-hcb": 1, "electricity-hch": 1, "electricity-hpb": 1},
    quantity_by_charge={"electricity-hcb": 2_608_000, "electricity-hch": 0, "electricity-hpb": 5_000_000},
    rated_quantity_by_charge={"electricity-hcb": 2_608_000, "electricity-hch": 0, "electricity-hpb": 5_000_000},
    amount_by_charge={"electricity-hcb": 321_827_000, "electricity-hch": 0, "electricity-hpb": 894_500_000},
    amount_by_currency={"EUR": 1_216_327_000},
)

# 1000 rows: 997 of usage, 2 adjustments and a credit. Of the usage, 64 rows are in units that the source does not map,
# 11 are negative, 16 belong to nobody, and 27 are `units`, which no charge prices.
FOCUS = Recount(
    records=1000,
    accepted=906,
    filtered=3,
    rejected_by_reason={"NEGATIVE_QUANTITY": 11, "UNKNOWN_ACCESS_POINT": 16, "UNKNOWN_EVENT_TYPE": 64},
    rated=879,
    unrated_by_reason={"NO_MATCHING_CHARGE": 27},
    rated_by_charge={"requests": 50, "running-aws": 103, "running-other": 2, "storage": 170, "transfer": 554},
    quantity_by_charge={
        "requests": 1_256,
        "running-aws": 81_519_080_319_500,  # 81.5190803195 hours
        "running-other": 2_000_000_000_000,
        "storage": 14_702_461_457_119_901,  # 14.702461457119901 GB-months
        "transfer": 84_161_752_802_688_970,  # 84.16175280268897 GB
    },
    rated_quantity_by_charge={
        "requests": 1_256,
        "running-aws": 81_519_080_319_500,
        "running-other": 2_000_000_000_000,
        "storage": 14_702_461_457_119_901,
        "transfer": 84_161_752_802_688_970,
    },
    amount_by_charge={
        "requests": 542_709,
        "running-aws": 945_620_000,
        "running-other": 41_600_000,
        "storage": 339_994_502,
        "transfer": 4_515_128_864,
    },
    amount_by_currency={"USD": 5_842_886_075},
)
