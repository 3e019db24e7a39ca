"""How kernels see a tariff image, an account state, a block of EDRs and its answer: named tuples of arrays.

Every array is C-contiguous and writable. Rows of `subscription_row` and `version_row` are packed so that one
record touches few cache lines; their columns are the constants below.
"""

from __future__ import annotations

from typing import Any, NamedTuple

SUBSCRIPTION_COLUMNS = 8
ACCOUNT = 0
"""Account id; -1 when the image does not know the subscription."""
OFFER = 1
"""Offer index within the image; -1 when the image does not know the subscription."""
COUNTER_PTR = 2
"""Where the subscription's counter slots start in `counter_slot`."""
COUNTER_FIRST = 3
"""The first of those slots, to be prefetched; -1 when there is none."""
WALLET_PTR = 4
"""Where the account's wallets start in `account_wallet`."""
WALLET_COUNT = 5
WALLET_FIRST = 6
"""The first of those wallets, to be prefetched; -1 when there is none, or it takes a closer look who may draw them."""
POSTPAID = 7
"""1 when the last of the account's wallets is postpaid, else 0."""

VERSION_COLUMNS = 40
VERSION_ID = 0
"""Id in `Vocabulary.charge_versions`."""
DIVISOR = 1
"""amount = round(sum(part * price) + fee, divided by DIVISOR * EXTRA) * FACTOR, in billionths."""
EXTRA = 2
"""1 unless the whole divisor exceeds 64 bits."""
FACTOR = 3
"""10**(9 - decimals of the rounding)."""
MODE = 4
"""`schemas.money.RoundingCode`."""
FEE_HI = 5
FEE_LO = 6
"""Connection fee on the scale of part * price: high and low 64 bits, both kept as int64."""
FIRST = 7
NEXT = 8
"""Increments in base steps, 1 and 1 when usage is not rounded up."""
CALENDAR = 9
"""Calendar index, -1 without."""
BANDS = 10
"""How many prices a tier has, 1 without calendar."""
COUNTER = 11
"""Counter index, -1 without."""
TIER_PTR = 12
TIER_COUNT = 13
"""0 for the models without tiers."""
PRICE_PTR = 14
"""Price of tier t in band b is price[PRICE_PTR + t * BANDS + b]."""
SHAPE = 15
"""A MODEL_ constant, plus SPECIAL where one of the columns below asks for something."""
CROSSING = 16
"""A CROSSING_ constant."""
MINIMUM = 17
"""Base steps that a quantity above zero counts at least."""
INCREMENT_MODE = 18
"""`schemas.money.RoundingCode` of begun increments."""
FLOOR_HI = 19
FLOOR_LO = 20
CAP_HI = 21
CAP_LO = 22
"""Least and most that an item costs, on the scale of part * price."""
ZERO_CHARGED = 23
"""1 when a quantity of zero has fixed amounts."""
SIZE = 24
FREE = 25
ROUND_DOWN = 26
"""Package: base steps of a block, base steps before the first one, 1 when a begun block does not count. FREE of the model that
prices a value: what of it is free, scaled as the value is."""
TIER_STEPS = 27
"""1 when tiers have increments of their own."""
LOOKUP = 28
"""How the row of a price table is found: a LOOKUP_ constant."""
TABLE = 29
"""Which of `Tariff.table`, or of the matrices."""
VARIANT_PTR = 30
"""Row of `version_row` for the first of the terms that rows of the table have: they replace this one from then on."""
VALUE_SLOT = 31
"""Of a destination table: slot of the value that is looked up."""
ROW_PRICES = 32
"""Prices that each row of the table has: those of row r start at price[PRICE_PTR + r * ROW_PRICES]."""

MODEL_FLAT = 0
MODEL_GRADUATED = 1
MODEL_VOLUME = 2
MODEL_PACKAGE = 3
MODEL_STAIR_STEP = 4
MODEL_EVENT = 5
MODEL_VALUE = 6
MODEL_FORMULA = 7
SPECIAL = 8

LOOKUP_NONE = 0
LOOKUP_DESTINATION = 1
LOOKUP_MATRIX = 2

TABLE_COLUMNS = 8
ROW_PTR = 0
"""Of a price table: its first row in `row_variant`."""
ROOT_PTR = 1
ROOT_SHIFT = 2
"""Of a destination table: numbers of one bucket of `root` are alike above this bit."""

CUT_COLUMNS = 4
"""Of a cut: where it begins, its longest prefix or -1, and that one's row if it is in force at all times, else -1."""
CUT_START = 0
CUT_PREFIX = 1
CUT_ROW = 2
SOURCE_PTR = 3
SOURCE_COUNT = 4
"""Of a matrix: its columns in `source`, each of which is an attribute slot, a value slot after those, or SOURCE_AT."""
GROUP_PTR = 5
GROUP_COUNT = 6
FOUND_PTR = 7
"""Of a price table: the number that its kind of look-up gives its first row."""
VALUE_SLOTS = 4
LOOKUP_SLOTS = 4
"""Columns behind the values, of what is looked up before rating: codes, 0 where nothing is found."""
SOURCE_AT = 12
"""Reads the time of the usage."""
KEY_COLUMNS = 9
"""Most columns of a matrix: eight, and the time of the usage."""
GROUP_COLUMNS = 24
GROUP_RANK = 0
"""Of a group: the best rank of its rows."""
SLOT_PTR = 1
SLOT_MASK = 2
"""Its open-addressing table in `slot_row`."""
GROUP_RANGES = 3
"""Two for each column: where its ranges start, and how many there are, or one of the next two."""
RANGE_CODE = -1
"""The column asks for a text."""
RANGE_ANY = -2

MEASURE_SLOT = 33
"""Slot of the value that is priced."""
PEAK = 35
"""1 when the counter holds the largest usage of its period: what a usage raises it by is priced and counted."""
PROGRAM = 34
"""First of the programs of a formula, one for each band."""

STRAIGHT = 36
"""1 when increments begin where quarters of an hour do, so that usage that crosses bands can be summed up without a walk."""

IN_UNITS = 37
"""1 when it prices in units, and what wallets do not hold of them goes to the next charge."""

CONVERSION = 38
"""1 + the row of `Tariff.conversion` by which amounts are converted; 0 where they are not, UNCONVERTED without a rate."""
UNCONVERTED = -1
CONVERSION_COLUMNS = 4
RATE_OVER = 0
"""Of a conversion: an amount is multiplied by this, divided by RATE_UNDER and rounded to CONVERTED_STEP billionths."""
RATE_UNDER = 1
CONVERTED_MODE = 2
"""`schemas.money.RoundingCode`."""
CONVERTED_STEP = 3

CROSSING_START = 0
CROSSING_SPLIT = 1
CROSSING_INCREMENT = 2
CROSSING_SECOND = 3

PLAIN_COLUMNS = 24
PLAIN_START = 0
PLAIN_END = 1
"""Of a plain version, see `plain`: when it is in force; it starts after all times where a version is not plain."""
PLAIN_ID = 2
PLAIN_FIRST = 3
PLAIN_NEXT = 4
PLAIN_FEE = 5
PLAIN_DIVISOR = 6
PLAIN_FACTOR = 7
PLAIN_MODE = 8
PLAIN_TIER_PTR = 9
PLAIN_TIER_COUNT = 10
"""As the columns of `version_row` that are called so."""
PLAIN_PRICE_PTR = 11
"""Likewise; of a version with a price table, of the row that look-ups would number 0."""
PLAIN_COUNTER = 12
PLAIN_CLOCK = 13
"""Its counter, -1 without, and by which clock that one counts: zone * 4 + kind of period."""
PLAIN_CALENDAR = 14
PLAIN_BANDS = 15
PLAIN_TABLE = 16
"""Its price table, -1 without."""
PLAIN_VALUE_SLOT = 17
"""Likewise, BY_MATRIX where the table is a matrix."""
BY_MATRIX = -1
PLAIN_VARIANT_PTR = 18
PLAIN_ROW_PRICES = 19
PLAIN_ROW_PTR = 20
"""Where the row that look-ups would number 0 is in `row_variant`."""
PLAIN_LATER = 21
"""How many versions of its charge come after it."""
PLAIN_INVERSE = 22
"""What `plain.inverse_of` returns of its divisor."""

PERIOD_DAY = 0
PERIOD_MONTH = 1
PERIOD_YEAR = 2
PERIOD_EVER = 3
PERIODS_KEPT = 4
"""How many periods of one counter are kept: period p lives in cell p & 3."""
PERIOD_NONE = -1
"""`counter_period` of a cell that was never used."""
COUNTER_WORDS = 8
"""Words of a counter, a line of the processor's cache: what each of its periods used, then which they are, in halves."""
PERIOD_FIRST = 2 * PERIODS_KEPT
"""Where the periods are among the halves."""

ROLL_COLUMNS = 4
"""Of a counter's roll-over."""
ROLL_PERIODS = 0
"""For how many periods what is left is there; 0 where nothing rolls over."""
ROLL_OF = 1
ROLL_LIMIT = 2
"""Base steps of the allowance of a period, and how many of them are carried at most."""
ROLL_NEWEST = 3
"""1 where usage draws on its own allowance first, then on the newest; 0 where on the oldest first."""

QUARTERS_PER_DAY = 96
QUARTER_STEPS = 900_000
"""Base steps of a quarter of an hour."""
RUN_COLUMNS = 4
RUN_START = 0
"""Of a run, a stretch of local time in bands of one name: its first quarter, counted from FIRST_DAY."""
RUN_BAND = 1
"""The first band of that name."""
RUN_BEFORE = 2
"""Where `run_before` says, for each band of the calendar, how many quarters before the run are in bands of its name."""
BANDS_MAX = 16
FIRST_DAY = 10_955
"""1999-12-30 in days since 1970, the first local day of `calendar_day`: before any timestamp in any zone."""
CALENDAR_DAYS = 36_600
"""Until 2100-03-14: the end of the longest usage that starts at the last timestamp."""
CROSSING_DAYS_MAX = 35
"""Days that usage which is split over time bands may last."""
ATTRIBUTE_SLOTS = 4
SAID_COLUMNS = ATTRIBUTE_SLOTS + LOOKUP_SLOTS
"""Columns of texts by which accumulators count: attributes, then lookups."""
ZONE_BUCKET_BITS = 44
"""Instants are looked up by buckets of 2**44 microseconds (203 days) since ZONE_EPOCH_US."""
ZONE_EPOCH_US = 946_684_800_000_000
ZONE_BUCKETS = 181
"""Enough buckets to reach 2100-01-01."""

NEVER = -1
ALWAYS = -2
"""In the place of the program of a condition: whether the next candidate prices the same quantity again, or a usage may draw a
wallet."""


class Tariff(NamedTuple):
    """The tables of a tariff image that pricing reads.

    Attributes:
        subscription_row: (subscriptions, SUBSCRIPTION_COLUMNS) int32 by subscription id.
        counter_slot: int32, ids in `Vocabulary.counters`, in the order of the offer's counters.
        account_wallet: int32, wallet ids in drawing order. wallet_overdraft: int64 billionths, how far below zero each of them
            may go, -1 for without end. wallet_filter: int32, which row of wallet_draws says who may draw it.
        wallet_draws: (filters, candidates) int32, NEVER, ALWAYS, or a program.
        cell_ptr: (offers * event_types + 1,) int32: candidates of an offer for an event type, best first.
        candidate_charge: int32. candidate_attribute: (candidates, ATTRIBUTE_SLOTS) int32 required codes, 0 =
            any.
        charge_ptr: (charges + 1,) int32 into the versions. version_start, version_end: int64 microseconds,
            half-open.
        version_row: (versions and terms of price tables, VERSION_COLUMNS) int64. plain_row: likewise, PLAIN_COLUMNS.
        conversion: (conversions, CONVERSION_COLUMNS) int64.
        cell_version: (offers * event_types,) int32, the first version of the charge that prices all usage of a cell, -1
            where that takes a closer look.
        tier_upper: int64, exclusive upper bounds of cumulated quantity, INT64_MAX when open. tier_amount: (tiers, 2)
            int64, high and low 64 bits. tier_step: int64, 0 without increments. price: int64.
        calendar_zone: int32, -1 for that of the subscription. subscription_zone: (subscriptions,) int32.
        calendar_day: (calendars, CALENDAR_DAYS) uint16 row of `day_band` of each local day.
        day_band: (rows, QUARTERS_PER_DAY) uint8 bands. day_turn: (rows, QUARTERS_PER_DAY) uint8, how many bands of another
            name began since the day did.
        calendar_run: (calendars, CALENDAR_DAYS) int32 row of `run` in which each local day begins. run: (runs,
            RUN_COLUMNS) int32, see `rating.image_runs`. run_before: int32 quarters.
        counter_kind, counter_zone: int32. offer_counter: (offers, counters) int32 position in the
            subscription's slots.
        zone_ptr: (zones + 1,) int32. zone_bucket: (zones, ZONE_BUCKETS) int32 transition in force where a
            bucket starts.
        zone_instant, zone_offset: int64 microseconds.
        event_types: (1,) int64, how many event types the image knows.
        table: (tables, TABLE_COLUMNS) int64 price tables. row_variant: int32, which terms each of their rows has.
        row_start, row_end: int64 microseconds, when each row of a destination table is in force.
        root: int32 cut in force where a bucket starts. cut: (cuts, CUT_COLUMNS) int64, see `destination.nest`.
        prefix_parent: int32. prefix_row: (prefixes + 1,) int32 where its rows start.
        source: int32. group: (groups, GROUP_COLUMNS) int64. slot_row: int64, -1 where a slot is free, see `matrix`.
        row_key: (rows, KEY_COLUMNS) int32, row_rank: int32, of the rows of matrices. range_low, range_high: int64, half-open.
        candidate_condition: int32 by candidate, the program that says whether it matches, -1 without.
        program_ptr: (programs + 1,) int32 into program. program: (instructions, INSTRUCTION_COLUMNS) int64, see
            `rating.kernels.operations`. program_set: int64, the constants of lists.
    """

    subscription_row: Any
    counter_slot: Any
    account_wallet: Any
    wallet_overdraft: Any
    wallet_filter: Any
    wallet_draws: Any
    cell_ptr: Any
    candidate_charge: Any
    candidate_attribute: Any
    charge_ptr: Any
    version_start: Any
    version_end: Any
    version_row: Any
    conversion: Any
    plain_row: Any
    cell_version: Any
    tier_upper: Any
    tier_amount: Any
    tier_step: Any
    price: Any
    calendar_zone: Any
    subscription_zone: Any
    calendar_day: Any
    day_band: Any
    day_turn: Any
    calendar_run: Any
    run: Any
    run_before: Any
    counter_kind: Any
    counter_zone: Any
    offer_counter: Any
    zone_ptr: Any
    zone_bucket: Any
    zone_instant: Any
    zone_offset: Any
    event_types: Any
    table: Any
    row_variant: Any
    row_start: Any
    row_end: Any
    root: Any
    cut: Any
    prefix_parent: Any
    prefix_row: Any
    source: Any
    group: Any
    slot_row: Any
    row_key: Any
    row_rank: Any
    range_low: Any
    range_high: Any
    candidate_condition: Any
    program_ptr: Any
    program: Any
    program_set: Any


class Accounts(NamedTuple):
    """The arrays of `rating.state.AccountState`, updated in place.

    Attributes:
        counter_used: (slots, COUNTER_WORDS) int64, base steps in the first PERIODS_KEPT columns.
        counter_period: (slots, 2 * COUNTER_WORDS) int32, the same memory: from PERIOD_FIRST on period * 4 + kind, PERIOD_NONE
            when never used.
        balance: (wallets, 2) int64, the upper and the lower half.
    """

    counter_used: Any
    counter_period: Any
    balance: Any


CEILING_NONE = -1
COURSE_COLUMNS = 8
TREE_COLUMNS = 10


class Items(NamedTuple):
    """What rating reads, notes and writes where a usage may become several items.

    Attributes:
        cell_several: (cells,) uint8, whether usage of a cell may. candidate_next: (candidates,) int32, NEXT_ or a program.
        candidate_refuses: (candidates,) uint8, whether usage beyond the ceiling of its counter is refused as a whole.
        ceiling: (counters,) int64 base steps, CEILING_NONE without. offer_slots: (offers,) int32, counters of a subscription.
        kept_counter: (slots, COUNTER_WORDS) int64, kept_balance: (wallets, 2) int64, kept_sums: (3,) int64: what a row may
            move, as it was before.
        course: (COURSE_COLUMNS,) int64, how far the usage at hand has come, see `rating.kernels.items`.
        row: int64, item: uint8, quantity: int64, written beside the answer's columns: which usage, which of its items, and
            what of the usage it prices. count: (1,) int64 rows written so far. trees: `Trees`.
    """

    cell_several: Any
    candidate_next: Any
    candidate_refuses: Any
    ceiling: Any
    offer_slots: Any
    kept_counter: Any
    kept_balance: Any
    kept_sums: Any
    course: Any
    row: Any
    item: Any
    quantity: Any
    count: Any
    trees: Any


class Trees(NamedTuple):
    """Of m rows of usage, of which some may be triggered by others; see `rating.kernels.triggers` and `rating.triggers`.

    Attributes:
        parent, trigger: (m,) int64, by: (m,) int32, need: (m, 2) int64, of `rating.triggers.Trees`; (0, ..) without any.
        when, formula, ratio: of `rating.image_triggers.TriggerTables`.
        origin: (m,) int64, written: row of the answer of the item that triggered it, -1 for none; of usage that is refused
            because of what it triggers, the row of that.
        candidate: int32, written beside the columns of `Items`: which candidate made the item.
        state: (TREE_COLUMNS,) int64. kept_slot, kept_counter, kept_wallet, kept_balance: room for all that a tree may move.
    """

    parent: Any
    by: Any
    trigger: Any
    need: Any
    when: Any
    formula: Any
    ratio: Any
    origin: Any
    candidate: Any
    state: Any
    kept_slot: Any
    kept_counter: Any
    kept_wallet: Any
    kept_balance: Any


class Usage(NamedTuple):
    """The columns of an EdrBlock that pricing reads, besides its values."""

    event_at: Any
    quantity: Any
    event_type: Any
    attributes: Any
    subscription: Any


class Answer(NamedTuple):
    """The columns of a RatedBlock, written.

    Attributes:
        split_row .. split_balance_lo: with spare room. split_count: (1,) int64 rows written so far.
        moved_hi: (1,) int64, moved_lo: (1,) uint64: sum of all balance decreases, for the conservation check.
    """

    reason: Any
    charge_version: Any
    rated_quantity: Any
    counter_before: Any
    tier: Any
    band: Any
    amount: Any
    wallet: Any
    balance_hi: Any
    balance_lo: Any
    split_row: Any
    split_wallet: Any
    split_amount: Any
    split_balance_hi: Any
    split_balance_lo: Any
    split_count: Any
    moved_hi: Any
    moved_lo: Any
