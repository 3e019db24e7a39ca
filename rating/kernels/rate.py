"""The account stage's loop: match, find the version, count, price, round, and draw from wallets, row by row.

A usage either moves everything (counters and wallets) or nothing. Usage of one account must come in its order; that of
different accounts does not influence each other. Twin: `rating.reference`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rating.kernels import layout, reasons
from rating.kernels.ahead import FAR, MANY, NEAR, RUN, ahead_key_of, fetch_run, look_ahead
from rating.kernels.balance import WALLET_NONE, WALLET_UNDECIDED, pay_alone
from rating.kernels.carry import carried_into, keep_left
from rating.kernels.compiled import kernel
from rating.kernels.conversion import amount_of
from rating.kernels.destination import find_destination
from rating.kernels.draw import draw
from rating.kernels.flat import price_flat
from rating.kernels.formula import is_bare, price_formula
from rating.kernels.graduated import price_graduated
from rating.kernels.hashing import prefetch
from rating.kernels.increments import round_up
from rating.kernels.items import DUE, next_charge, note, price_taken_back, refuse_at, set_out, what_fits
from rating.kernels.local_time import band_at, local_instant, offset_around, period_around, period_number
from rating.kernels.match import UNDECIDED, find_candidate, latest_version, meet_condition
from rating.kernels.matrix import find_in_matrix
from rating.kernels.operations import STATE_OVERFLOW, STATE_SURE
from rating.kernels.plain import price_plainly
from rating.kernels.scratch import AHEAD
from rating.kernels.special import price_special
from rating.kernels.triggers import NO_ROOM, SKIP, enter, settle
from rating.kernels.units import COVERED, USED_UP, what_is_covered
from rating.kernels.wide import add, low_signed

I64 = np.int64
U = np.uint64
INT64_MAX = 2**63 - 1
QUANTITY_MAX = 2**62


@kernel
def rate_rows(
    start: Any, usage: Any, tariff: Any, accounts: Any, answer: Any, values: Any, rolls: Any, scratch: Any, items: Any
) -> Any:
    """Rate rows from `start` on; return the row for which the answer has no room, else the row count.

    Args:
        start: int64, first row.
        usage: `layout.Usage`, every quantity in 0 .. 2**62, with `items` from -2**62 on, every subscription below the image's.
        tariff: `layout.Tariff`.
        accounts: `layout.Accounts`, updated.
        answer: `layout.Answer`, written; call again with larger columns and the returned row.
        values: (n, VALUE_SLOTS, perhaps with LOOKUP_SLOTS) int64, (0, ..) where no usage has any; None where none is read,
            for which another machine code is made that knows nothing of price tables.
        rolls: (counters, ROLL_COLUMNS) int64; None where no counter rolls over, for which likewise.
        scratch: of `scratch.rate_scratch`.
        items: `layout.Items`, whose columns go with those of the answer, a row for each item; None where every usage becomes
            one item, for which likewise.
    """
    # a field of a named tuple read inside the loop would count references, an atomic operation each time
    event_at, quantities, event_type, attributes, subscriptions = usage
    (
        subscription_row, counter_slot, account_wallet, wallet_overdraft, wallet_filter, wallet_draws, cell_ptr,
        candidate_charge, candidate_attribute, charge_ptr, version_start, version_end, version_row, conversion, plain_row,
        cell_version, tier_upper, tier_amount, tier_step, price, calendar_zone, subscription_zone, calendar_day, day_band,
        day_turn, calendar_run, run, run_before, counter_kind, counter_zone, offer_counter, zone_ptr, zone_bucket,
        zone_instant, zone_offset, event_types, tables, row_variant, row_start, row_end, root, cut, prefix_parent,
        prefix_row, source, group, slot_row, row_key, row_rank, range_low, range_high, candidate_condition, program_ptr,
        program, program_set,
    ) = tariff  # fmt: skip
    counter_used, counter_period, balance = accounts
    (
        out_reason, out_version, out_quantity, out_before, out_tier, out_band, out_amount, out_wallet, out_balance_hi,
        out_balance_lo, split_row, split_wallet, split_amount, split_hi, split_lo, split_count, moved_hi, moved_lo,
    ) = answer  # fmt: skip
    row_base = subscription_row.ctypes.data
    counter_base = counter_used.ctypes.data
    balance_base = balance.ctypes.data
    fetched = I64(start) if len(subscription_row) >= MANY else I64(INT64_MAX)  # where the next run of them begins
    types = event_types[0]
    # destinations are looked up ahead, in the table and slot that the last row asked for
    ahead_table, ahead_slot, ahead_price, ahead_width = I64(-1), I64(0), I64(0), I64(0)
    ahead_found, ahead_key, room, left, stack = scratch
    # the period that usage was found in last, and what else lies in it
    clock, clock_period, clock_start, clock_end = I64(-1), I64(0), I64(0), I64(0)
    # and the offset of the clock of a zone that it was found on, likewise
    wall, wall_offset, wall_start, wall_end = I64(-1), I64(0), I64(0), I64(0)
    fallen_hi, fallen_lo = I64(0), U(0)
    programs = (program_ptr, program, program_set)
    terms = (wallet_overdraft, wallet_filter, wallet_draws)
    splits = (split_row, split_wallet, split_amount, split_hi, split_lo, split_count)
    count = I64(len(subscriptions))
    columns = (
        out_reason, out_version, out_quantity, out_before, out_tier, out_band, out_amount, out_wallet, out_balance_hi,
        out_balance_lo,
    )  # fmt: skip
    if items is not None:
        (
            cell_several, _, candidate_refuses, ceiling, offer_slots, _, _, _, course, item_row, item_number, item_quantity,
            item_count, trees,
        ) = items  # fmt: skip
        parent, item_candidate = trees.parent, trees.candidate
        places = (subscription_row, offer_slots, counter_slot, account_wallet, subscriptions)
        sums = (split_count, moved_hi, moved_lo)
        out = item_count[0] - I64(1)
    for row in range(start, count):
        if items is None:
            out = row
        else:
            if len(parent) > 0:
                out, step, fallen_hi, fallen_lo = enter(
                    I64(row), out, count, fallen_hi, fallen_lo, event_at[row], quantities, places, accounts, attributes,
                    values, programs, stack, columns, sums, I64(len(split_row)), items,
                )  # fmt: skip
                if step == NO_ROOM:
                    item_count[0] = out + I64(1)
                    moved_hi[0], moved_lo[0], _ = add(moved_hi[0], moved_lo[0], fallen_hi, fallen_lo)
                    return row
                if step == SKIP:
                    continue
            out += I64(1)
            item_count[0] = out
            if out >= len(item_row):
                moved_hi[0], moved_lo[0], _ = add(moved_hi[0], moved_lo[0], fallen_hi, fallen_lo)
                return row
            item_row[out], item_number[out], item_quantity[out] = row, 0, quantities[row]
        if row >= fetched:
            fetch_run(I64(row), I64(start), subscriptions, subscription_row, counter_base, balance_base)
            fetched = I64(row) + I64(RUN)
        if row + FAR < count:
            prefetch(row_base + I64(subscriptions[row + FAR]) * I64(4 * layout.SUBSCRIPTION_COLUMNS))
        if row + NEAR < count and subscriptions[row + NEAR] >= 0:
            ahead = I64(subscriptions[row + NEAR])
            prefetch(counter_base + I64(subscription_row[ahead, layout.COUNTER_FIRST]) * I64(8 * layout.COUNTER_WORDS))
            prefetch(balance_base + I64(subscription_row[ahead, layout.WALLET_FIRST]) * I64(16))
        if values is not None and ahead_table >= 0:
            look_ahead(
                I64(row), count, event_at, values, tables, ahead_table, ahead_slot, ahead_price, ahead_width, root, cut,
                prefix_parent, prefix_row, row_start, row_end, row_variant, price, ahead_found, ahead_key,
            )  # fmt: skip
        subscription = I64(subscriptions[row])
        kind_of_event = I64(event_type[row])
        offer = I64(-1)
        if subscription >= 0 and kind_of_event < types:
            offer = I64(subscription_row[subscription, layout.OFFER])
        version = I64(-1)
        if offer >= 0:
            version = I64(cell_version[offer * types + kind_of_event])
            while version >= 0 and event_at[row] >= plain_row[version, layout.PLAIN_END]:
                version = version + I64(1) if plain_row[version, layout.PLAIN_LATER] > 0 else I64(-1)
        # views of rows would count references, too; unsigned indexes need no look whether they count from the end
        plain, here, who, to = U(version), U(row), U(subscription), U(out)
        if version >= 0 and plain_row[plain, layout.PLAIN_START] <= event_at[here] < plain_row[plain, layout.PLAIN_END]:
            at = event_at[here]
            rule, price_at, band, fits = plain, plain_row[plain, layout.PLAIN_PRICE_PTR], I64(0), True
            if values is not None and plain_row[plain, layout.PLAIN_TABLE] >= 0:
                table, by = plain_row[plain, layout.PLAIN_TABLE], plain_row[plain, layout.PLAIN_VALUE_SLOT]
                if by == layout.BY_MATRIX:
                    found = find_in_matrix(
                        row, at, attributes, values, tables, table, source, group, slot_row, row_key, row_rank, range_low,
                        range_high, room,
                    )  # fmt: skip
                else:
                    fits = ahead_key[here & U(AHEAD - 1)] == ahead_key_of(row, table, by)
                    found = ahead_found[here & U(AHEAD - 1)]
                fits = fits and found >= 0
                if fits:
                    variant = row_variant[U(plain_row[plain, layout.PLAIN_ROW_PTR] + found)]
                    rule = U(plain_row[plain, layout.PLAIN_VARIANT_PTR] + I64(variant))
                    price_at += found * plain_row[plain, layout.PLAIN_ROW_PRICES]
            calendar = plain_row[plain, layout.PLAIN_CALENDAR]
            if calendar >= 0:
                zone = I64(calendar_zone[U(calendar)])
                if zone < 0:
                    zone = I64(subscription_zone[who])
                if zone != wall or at < wall_start or at >= wall_end:
                    wall = zone
                    wall_offset, wall_start, wall_end = offset_around(
                        at, zone, zone_ptr, zone_bucket, zone_instant, zone_offset
                    )
                band = band_at(at + wall_offset, calendar, calendar_day, day_band)
            quantity = round_up(
                quantities[here], plain_row[rule, layout.PLAIN_FIRST], plain_row[rule, layout.PLAIN_NEXT]
            )
            slot, cell, before, wallet, hi, lo = I64(0), I64(0), I64(0), I64(WALLET_NONE), I64(0), U(0)
            fits = fits and quantity <= QUANTITY_MAX
            if items is not None:
                fits = fits and quantities[here] >= 0
            counter = plain_row[plain, layout.PLAIN_COUNTER]
            if counter >= 0:
                if plain_row[plain, layout.PLAIN_CLOCK] != clock or at < clock_start or at >= clock_end:
                    clock = plain_row[plain, layout.PLAIN_CLOCK]
                    number, clock_start, clock_end = period_around(
                        at, clock & I64(3), clock >> I64(2), zone_ptr, zone_bucket, zone_instant, zone_offset
                    )
                    clock_period = number * I64(4) + (clock & I64(3))
                slot = I64(subscription_row[who, layout.COUNTER_FIRST])
                place = I64(offer_counter[U(offer), U(counter)])
                if place > 0:
                    slot = I64(counter_slot[subscription_row[who, layout.COUNTER_PTR] + place])
                cell = (clock_period >> I64(2)) & I64(layout.PERIODS_KEPT - 1)
                stored = I64(counter_period[U(slot), U(layout.PERIOD_FIRST + cell)])
                if stored == clock_period:
                    before = counter_used[U(slot), U(cell)]
                    fits = fits and before <= I64(INT64_MAX) - quantity
                elif stored > clock_period and (stored ^ clock_period) & I64(3) == 0:
                    fits = False  # that period is closed
            if fits:
                amount, tier, fits = price_plainly(
                    quantity, before, plain_row[rule, layout.PLAIN_FEE], plain_row[plain, layout.PLAIN_DIVISOR],
                    plain_row[plain, layout.PLAIN_INVERSE], plain_row[plain, layout.PLAIN_MODE],
                    plain_row[plain, layout.PLAIN_FACTOR], plain_row[plain, layout.PLAIN_TIER_PTR],
                    plain_row[plain, layout.PLAIN_TIER_COUNT], price_at + band, plain_row[plain, layout.PLAIN_BANDS],
                    tier_upper, price,
                )  # fmt: skip
            if fits and amount > 0:
                wallet = I64(subscription_row[who, layout.WALLET_FIRST])
                fits = wallet >= 0
                if fits:
                    postpaid = I64(subscription_row[who, layout.POSTPAID])
                    may_fall = subscription_row[who, layout.WALLET_COUNT] == postpaid
                    old_hi, old_lo = balance[U(wallet), 0], U(balance[U(wallet), 1])
                    hi, lo, fall_hi, fall_lo, fits = pay_alone(old_hi, old_lo, amount, may_fall)
                    if fits:
                        balance[U(wallet), 0] = hi
                        balance[U(wallet), 1] = low_signed(lo)
                        fallen_hi, fallen_lo, _ = add(fallen_hi, fallen_lo, fall_hi, fall_lo)
            if fits:
                if counter >= 0:
                    counter_period[U(slot), U(layout.PERIOD_FIRST + cell)] = clock_period
                    counter_used[U(slot), U(cell)] = before + quantity
                out_reason[to] = 0
                out_version[to] = plain_row[plain, layout.PLAIN_ID]
                out_quantity[to] = quantity
                out_before[to] = before
                out_tier[to], out_band[to] = tier, band
                out_amount[to] = amount
                out_wallet[to] = wallet
                out_balance_hi[to], out_balance_lo[to] = hi, lo
                continue
        if offer < 0:
            refuse_at(to, reasons.NO_MATCHING_CHARGE, -1, 0, columns)
            continue
        at = event_at[row]
        cell_first = I64(cell_ptr[offer * types + kind_of_event])
        cell_end = I64(cell_ptr[offer * types + kind_of_event + 1])
        asked = quantities[row]
        turn, going, candidate = True, False, I64(-1)
        if items is not None and cell_several[offer * types + kind_of_event] != 0:
            most = cell_end - cell_first
            owner = subscription_row[subscription]
            if out + most >= len(item_row) or split_count[0] + most * owner[layout.WALLET_COUNT] > len(split_row):
                moved_hi[0], moved_lo[0], _ = add(moved_hi[0], moved_lo[0], fallen_hi, fallen_lo)
                return row
            note(I64(offer_slots[offer]), owner, counter_slot, account_wallet, accounts, sums, items)
            set_out(asked, course)
            going = True
        while turn or going:
            if items is not None and not turn:
                out, going = next_charge(
                    out, asked, candidate, row, at, quantities[row], subscription_row[subscription],
                    I64(offer_slots[offer]), counter_slot, account_wallet, accounts, attributes, values, programs, stack,
                    columns, sums, items,
                )  # fmt: skip
                if not going:
                    break
                cell_first, asked = candidate + I64(1), course[DUE]
            turn, to = False, U(out)
            refuse_at(to, reasons.NO_MATCHING_CHARGE, -1, 0, columns)
            candidate = find_candidate(cell_first, cell_end, attributes, row, candidate_attribute)
            if values is not None and candidate >= 0 and candidate_condition[candidate] >= 0:
                candidate = meet_condition(
                    candidate, cell_end, row, at, quantities[row], attributes, values, candidate_attribute,
                    candidate_condition, programs, stack,
                )  # fmt: skip
                if candidate == UNDECIDED:
                    out_reason[to] = reasons.CONDITION_UNDECIDED
            if candidate < 0:
                continue
            charge = I64(candidate_charge[candidate])
            version = latest_version(charge, at, charge_ptr, version_start)
            if version < 0 or at >= version_end[version]:
                out_reason[to] = reasons.NO_PRICE_VERSION
                continue
            out_version[to] = version_row[version, layout.VERSION_ID]
            if version_row[version, layout.CONVERSION] < 0:
                out_reason[to] = reasons.NO_EXCHANGE_RATE
                continue
            counter = version_row[version, layout.COUNTER]
            slot, cell, period, before, carried, after = I64(0), I64(0), I64(0), I64(0), I64(0), I64(0)
            used = asked
            if counter >= 0:
                slot = I64(subscription_row[subscription, layout.COUNTER_FIRST])
                place = I64(offer_counter[offer, counter])
                if place > 0:
                    slot = I64(counter_slot[subscription_row[subscription, layout.COUNTER_PTR] + place])
                kind = I64(counter_kind[counter])
                local = local_instant(at, I64(counter_zone[counter]), zone_ptr, zone_bucket, zone_instant, zone_offset)
                number = period_number(kind, local)
                cell = number & I64(layout.PERIODS_KEPT - 1)
                period = number * I64(4) + kind
                stored = I64(counter_period[slot, layout.PERIOD_FIRST + cell])
                if stored == period:
                    before = counter_used[slot, cell]
                elif stored > period and stored & I64(3) == kind:
                    out_reason[to] = reasons.COUNTER_PERIOD_CLOSED
                    continue
                if version_row[version, layout.PEAK] != 0:
                    used = max(asked - before, I64(0))
                if rolls is not None:
                    after = I64(subscription_row[subscription, layout.COUNTER_PTR]) + place + I64(1)
                    roll = rolls[counter]
                    carried = carried_into(
                        number, slot, counter_slot, after, kind, roll, counter_used, counter_period, left
                    )
                    if carried < 0:
                        out_reason[to] = reasons.COUNTER_PERIOD_CLOSED
                        continue
                    before -= carried  # a free part that lies before the counter's own
            calendar = version_row[version, layout.CALENDAR]
            zone, band = I64(0), I64(0)
            if calendar >= 0:
                zone = I64(calendar_zone[calendar])
                if zone < 0:
                    zone = I64(subscription_zone[subscription])
                local = local_instant(at, zone, zone_ptr, zone_bucket, zone_instant, zone_offset)
                band = band_at(local, calendar, calendar_day, day_band)
            rule = version
            price_at = version_row[version, layout.PRICE_PTR]
            if values is not None and version_row[version, layout.LOOKUP] != layout.LOOKUP_NONE:
                table = version_row[version, layout.TABLE]
                found = I64(-1)
                if version_row[version, layout.LOOKUP] == layout.LOOKUP_MATRIX:
                    found = find_in_matrix(
                        row, at, attributes, values, tables, table, source, group, slot_row, row_key, row_rank, range_low,
                        range_high, room,
                    )  # fmt: skip
                    if found < 0:
                        out_reason[to] = reasons.NO_MATRIX_PRICE
                        continue
                elif values.shape[0] == 0:
                    found = I64(-1)
                elif ahead_key[row & I64(AHEAD - 1)] == ahead_key_of(
                    row, table, version_row[version, layout.VALUE_SLOT]
                ):
                    found = ahead_found[row & I64(AHEAD - 1)]
                else:
                    ahead_table, ahead_slot = table, version_row[version, layout.VALUE_SLOT]
                    ahead_price, ahead_width = price_at, version_row[version, layout.ROW_PRICES]
                    found = find_destination(
                        values[row, version_row[version, layout.VALUE_SLOT]], at, tables, table, root, cut, prefix_parent,
                        prefix_row, row_start, row_end,
                    )  # fmt: skip
                if found < 0:
                    out_reason[to] = reasons.NO_DESTINATION_PRICE
                    continue
                found -= tables[table, layout.FOUND_PTR]
                rule = version_row[version, layout.VARIANT_PTR] + row_variant[tables[table, layout.ROW_PTR] + found]
                price_at += found * version_row[version, layout.ROW_PRICES]
            shape = version_row[rule, layout.SHAPE]
            tier = I64(0)
            if items is not None:
                if counter >= 0 and ceiling[counter] >= 0 and asked > 0:
                    used = what_fits(asked, ceiling[counter] - before, version_row[rule])
                    if used < asked and candidate_refuses[candidate] != 0:
                        out_reason[to], out_before[to] = reasons.COUNTER_USED_UP, before
                        continue
                    if used == 0:
                        out_reason[to], out_before[to] = reasons.USED_UP, before
                        continue
                    asked = used
                if version_row[version, layout.IN_UNITS] != 0:
                    used, state = what_is_covered(
                        asked, price[price_at + band], version_row[version], candidate, row, at, quantities[row],
                        subscription_row[subscription], account_wallet, terms, balance, attributes, values, programs, stack,
                    )  # fmt: skip
                    if state != COVERED:
                        out_reason[to] = reasons.USED_UP if state == USED_UP else reasons.CONDITION_UNDECIDED
                        continue
                    asked = used
                item_quantity[out] = asked
            is_formula = shape == layout.MODEL_FORMULA + layout.SPECIAL
            if items is not None and asked < 0 and not is_formula:
                hi, lo, tier, reason = price_taken_back(
                    -asked, before, version_row[rule], version_row[version, layout.PEAK], price_at, band, rolls,
                    tier_upper, price,
                )  # fmt: skip
                if reason != 0:
                    out_reason[to] = reason
                    continue
                quantity = -asked
            elif values is not None and is_formula:
                if items is not None and asked < 0 and (counter >= 0 or not is_bare(version_row[rule])):
                    out_reason[to] = reasons.NEGATIVE_UNPRICED
                    continue
                hi, lo, quantity, state = price_formula(
                    row, at, abs(used), before, version_row[rule], band, attributes, values, programs, stack
                )
                if state != STATE_SURE:
                    out_reason[to] = reasons.AMOUNT_OVERFLOW if state == STATE_OVERFLOW else reasons.FORMULA_UNUSABLE
                    continue
            elif shape > layout.MODEL_GRADUATED:
                measure = I64(0)
                if values is not None and shape == layout.MODEL_VALUE + layout.SPECIAL:
                    measure = I64(-1)
                    if values.shape[0] > 0:
                        measure = values[row, version_row[version, layout.MEASURE_SLOT]]
                    if measure < 0:
                        out_reason[to] = reasons.VALUE_UNUSABLE
                        continue
                hi, lo, tier, quantity, too_long = price_special(
                    at, used, before, version_row[rule], price_at, measure, band, calendar, zone, calendar_day, day_turn,
                    calendar_run, run, run_before, zone_ptr, zone_bucket, zone_instant, zone_offset, tier_upper,
                    tier_amount, tier_step, price,
                )  # fmt: skip
                if too_long:
                    out_reason[to] = reasons.USAGE_TOO_LONG
                    continue
            else:
                quantity = round_up(used, version_row[rule, layout.FIRST], version_row[rule, layout.NEXT])
                if shape == layout.MODEL_FLAT:
                    hi, lo = price_flat(quantity, price[price_at + band])
                else:
                    hi, lo, tier = price_graduated(
                        quantity, before, tier_upper, version_row[version, layout.TIER_PTR], version_row[version,
                        layout.TIER_COUNT], price, price_at + band, version_row[version, layout.BANDS],
                    )  # fmt: skip
                if quantity > 0:
                    hi, lo, _ = add(hi, lo, version_row[rule, layout.FEE_HI], U(version_row[rule, layout.FEE_LO]))
            amount, overflow = amount_of(hi, lo, version_row[version], conversion)
            if overflow or quantity > QUANTITY_MAX:
                out_reason[to] = reasons.AMOUNT_OVERFLOW
                continue
            if items is not None and asked < 0:
                amount, quantity = -amount, asked
            elif counter >= 0 and before + carried > I64(INT64_MAX) - quantity:
                out_reason[to] = reasons.COUNTER_OVERFLOW
                continue
            wallet = I64(WALLET_NONE)
            if amount != 0:
                wallets = I64(subscription_row[subscription, layout.WALLET_COUNT])
                if wallets > 0 and split_count[0] + wallets > len(split_row):
                    moved_hi[0], moved_lo[0], _ = add(moved_hi[0], moved_lo[0], fallen_hi, fallen_lo)
                    return row
                wallet, hi, lo = draw(
                    out, amount, candidate, row, at, quantities[row], subscription_row[subscription], account_wallet,
                    terms, balance, attributes, values, programs, stack, splits, moved_hi, moved_lo,
                )  # fmt: skip
                if wallet <= WALLET_NONE:
                    undecided = wallet == WALLET_UNDECIDED
                    out_reason[to] = reasons.CONDITION_UNDECIDED if undecided else reasons.INSUFFICIENT_BALANCE
                    continue
                out_wallet[to] = wallet
                out_balance_hi[to], out_balance_lo[to] = hi, lo
            if counter >= 0:
                if rolls is not None:
                    keep_left(
                        number, slot, counter_slot, after, kind, rolls[counter], counter_used, counter_period, left
                    )
                counter_period[slot, layout.PERIOD_FIRST + cell] = period
                counter_used[slot, cell] = before + carried + quantity
            out_quantity[to] = quantity
            out_before[to] = before
            out_tier[to], out_band[to] = tier, band
            out_amount[to] = amount
            out_reason[to] = 0
            if items is not None:
                item_candidate[out] = candidate
    if items is not None:
        out, fallen_hi, fallen_lo = settle(out, fallen_hi, fallen_lo, quantities, accounts, columns, sums, items)
        item_count[0] = out + I64(1)
    moved_hi[0], moved_lo[0], _ = add(moved_hi[0], moved_lo[0], fallen_hi, fallen_lo)
    return count
