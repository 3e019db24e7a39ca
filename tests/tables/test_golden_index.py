"""Where each rule with numbers is tested: golden cases (G), rules of telephony (T), disagreements of systems (D), bad input (B).

An auditor reads the table; the test reads that what it names is there. A line is: the case, what it says, the file, a test of it,
and a text of that file with the numbers.
"""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
INDEX = r"""
G1   a ceiling of 100: 50, -30, 180 refused, 80, -45, 45        | tables/test_golden_items.py     | test_what_is_taken_back_may_be_used_again_and_what_does_not_fit_moves_nothing | 180       80    NO_MATCHING_CHARGE
G2   charges one after another: 160, 200, 240, 450, 1350        | tables/test_golden_items.py     | test_charges_price_one_after_another_what_is_due | 500       1350   500 100 50 350 350
G3   a minute is 60 seconds of 100                              | tables/test_golden_features.py  | test_a_usage_in_minutes_is_rated_in_seconds | [6000]
G4   gross 10.00 is 8.33 + 1.67, net 10.005 is 10.01 and 12.01  | tables/test_golden_taxes.py     | test_net_and_tax_are_gross | 10.01    2       12.01
G5   a tax once on the sum of three lines of 0.33               | tables/test_golden_taxes.py     | test_a_tax_is_computed_once_on_the_sum | vat 0.99 0.2
G6   wallets of 5 and 3: 7 is drawn from both, 2 from none      | tables/test_golden_features.py  | test_an_amount_is_drawn_from_wallets_in_order_and_what_they_cannot_pay_moves_nothing | (7, 2, 1)
G6   the level at which the second refuses                      | tables/test_golden_reference.py | test_the_level_at_which_a_wallet_refuses_decides | overdraft: "10"
G7   30.00 a month from 16 April: 15.00, or 30.00               | tables/test_proration.py        | test_a_month_that_begins_in_the_middle | (True, "1/2", "15"), (False, "1", "30")
G7   ended on 11 June, paid in advance: -20/30                  | tables/test_golden_reference.py | test_what_was_paid_in_advance_for_days_after_the_end_is_reimbursed | Fraction(-20, 30)
G7   the same in files, the store and wallets                   | integration/test_fees.py        | test_what_is_due_is_charged_once_and_corrected_by_what_changes | -12.770000000
G8   version 2 of an open record: version 1 is closed           | integration/test_supersede.py   | test_an_earlier_one_that_is_unrated_gives_way_and_is_closed |
G8   of a rated one: its tree is cancelled                      | integration/test_supersede.py   | test_the_last_statement_stands |
G8   of a billed one: the record is dropped                     | integration/test_supersede.py   | test_what_is_billed_stays_unless_the_source_reverses |
G9   usage of 14 April is of the schedule of April, 11 are 0    | tables/test_proration.py        | test_usage_is_billed_by_the_schedule_of_its_month | [0, 0, 0, 12, *[0] * 8]
T1   60/30, 30/1, 60/60, 1/1, an unanswered call                | tables/test_golden_telco.py     | test_a_rule_with_its_numbers | "1 61 91 125 s", "0.12 0.18 0.24 0.30"
T1   a first minute that is dearer                              | tables/test_rating_models.py    | test_the_first_minute_is_dearer_and_has_increments_of_its_own |
T2   crossing a border: 0.80, 0.70, 0.60, 0.55                  | tables/test_golden_telco.py     | test_a_rule_with_its_numbers | "240 s", "0.55"
T3   two hours in autumn and none in spring between 2 and 3     | tables/test_golden_telco.py     | test_an_hour_comes_twice_in_autumn_and_not_at_all_in_spring | 7200     5400
T3   what the clock shows: 3,600 of 7,200, 7,200 of 3,600       | tables/test_golden_reference.py | test_a_clock_shows_another_time_to_have_passed_when_it_is_changed | 3600     7200
T3   whose clock                                                | tables/test_golden_telco.py     | test_the_clock_of_the_roamer_or_of_the_tariff_is_an_attribute |
T3   special days                                               | tables/test_rating_calendars.py | test_the_band_of_the_day |
T4   447937 beats 447 beats 44 beats the default, dated         | tables/test_golden_telco.py     | test_the_longest_dated_prefix_beats_shorter_ones | 447937123456   2026-06-10T12:00:00Z  0.3
T5   a ported number                                            | tables/test_golden_reference.py | test_a_ported_number_is_of_the_network_that_serves_it_then |
T6   roaming: sessions and TAP files to bills                   | integration/test_roaming.py     | test_a_roaming_file_is_taken_once_and_refused_whole_when_its_sums_do_not_fit |
T7   units before money, in order, shared                       | tables/test_golden_units.py     | test_several_wallets_of_a_unit_are_drawn_in_order |
T7   whole increments are covered                               | tables/test_golden_units.py     | test_whole_increments_are_covered |
T7   what expires first is drawn first, by when usage arrives   | integration/test_wallet_changes.py | test_credit_expires_by_stage_time_what_expires_first_is_drawn_first |
T8   who shares a wallet has one writer                         | tables/test_golden_shared_wallets.py | test_all_below_a_customer_draw_its_wallet_and_nobody_else_does |
T9   reserve, confirm, release, expire, refund                  | property/test_charging_stateful.py | test_charging_is_that_of_its_twin_for_ten_thousand_steps |
T10  overdrafts, and levels that are told of                    | integration/test_notifications.py | test_what_was_crossed_is_listed_with_its_values |
T11  three parts of 100 s: 0.87, together 0.65                  | tables/test_rating_prices.py    | test_three_partial_calls_cost_more_than_the_whole_one | "0.87"
T11  parts in any order become one usage                        | integration/test_assembly.py    | test_parts_in_any_order_and_file_become_one_edr |
T12  150,000 B three times: 2 2 2 blocks, or 2 1 2              | tables/test_golden_telco.py     | test_a_rule_with_its_numbers | "150000 150000 150000 B", "2 1 2"
T12  octets over 32 bits: 4,294,972,296                         | unit/mediation/test_radius.py   | test_gigawords_carry_the_octets_over_four_gibibytes | 4_294_967_296 + 5_000
T13  a zero-rated application is recorded and counted           | tables/test_golden_telco.py     | test_a_zero_rated_application_is_recorded_and_moves_the_fair_use_counter |
T14  a threshold inside one usage: by unit 32, by slab 12       | tables/test_golden_telco.py     | test_a_rule_with_its_numbers | "600 min", "32"
T14  a counter has the months of a billing cycle                | tables/test_rating_clocks.py    | test_counter_periods | month/15
T15  a late record has its own price, and moves those after it  | tables/test_golden_telco.py     | test_a_late_record_has_the_price_of_its_own_time_and_changes_those_after_it |
T15  rating again: free minutes move, twice is once             | integration/test_rerate.py      | test_free_minutes_move_to_the_calls_that_came_first |
T16  received = the sum of what became of it                    | unit/account/test_account_stage.py | test_every_reason_ends_in_one_outcome_and_the_sheet_adds_up |
T17  1.005, half up and half even                               | tables/test_golden_telco.py     | test_a_rule_with_its_numbers | half even of 0.125
T17  seven times 0.10 with tax in it: 0.56 or 0.58              | tables/test_golden_reference.py | test_tax_in_the_price_is_another_sum_by_line_than_by_total | Decimal("0.58")
T18  rows of one call become one usage, whatever their order    | integration/test_elapsed_sessions.py | test_rows_may_come_file_by_file_in_any_order |
T19  a cap on one event                                         | tables/test_golden_telco.py     | test_a_rule_with_its_numbers | a cap on one event
T20  every stage's reasons                                      | tables/test_mediation_reasons.py | test_a_refused_record_keeps_its_bytes_and_says_why |
D1   zero usage: the first tier's fee, or nothing               | tables/test_rating_peers.py     | test_each_answer_has_an_option | "zero usage", "Lago, OpenMeter
D2   the cliff of volume: 101 and 51                            | tables/test_rating_peers.py     | test_each_answer_has_an_option | ["101", "51"]
D3   parts of a period: 12/31, 13/28, 30/365                    | tables/test_proration.py        | test_each_answer_has_an_option | Kill_Bill:_the_cycle_it_belongs_to
D4   rounding: unit price, increment, line, until the bill      | tables/test_rating_peers.py     | test_each_answer_has_an_option | "CGRateS: each increment
D5   a line that is split: two, or one                          | tables/test_rating_peers.py     | test_each_answer_has_an_option | "a line that is split"
D6   a band ends inside the first minute                        | tables/test_rating_peers.py     | test_each_answer_has_an_option | band change inside the first minute
B1   overlapping published versions                             | tables/test_refused_catalogs.py | test_a_mistake_is_refused_when_the_catalog_is_published | "overlapping published versions"
B2   gaps in tiers                                              | tables/test_refused_catalogs.py | test_a_mistake_is_refused_when_the_catalog_is_published | "a gap in tiers"
B3   prices with too many decimals                              | tables/test_refused_catalogs.py | test_a_mistake_is_refused_when_the_catalog_is_published | "too many decimals"
B4   unknown units                                              | tables/test_refused_catalogs.py | test_a_mistake_is_refused_when_the_catalog_is_published | "an unknown unit"
B5   cyclic triggers                                            | tables/test_refused_catalogs.py | test_a_mistake_is_refused_when_the_catalog_is_published | "a cyclic trigger"
B6   an expression that fails on some records                   | tables/test_refused_catalogs.py | test_an_expression_that_fails_on_some_records_refuses_those |
B7   a missing tax                                              | tables/test_refused_catalogs.py | test_a_mistake_is_refused_when_the_catalog_is_published | "no tax"
B8   a currency with no exponent                                | tables/test_refused_catalogs.py | test_a_mistake_is_refused_when_the_catalog_is_published | "a currency without exponent"
"""
ASKED = [*(f"G{n}" for n in range(1, 10)), *(f"T{n}" for n in range(1, 21)), *(f"D{n}" for n in range(1, 7)), *(f"B{n}" for n in range(1, 9))]  # fmt: skip


def test_each_case_is_listed_and_what_is_listed_is_there() -> None:
    rows = [[cell.strip() for cell in line.split("|")] for line in INDEX.strip().splitlines()]
    assert list(dict.fromkeys(row[0].split()[0] for row in rows)) == ASKED
    wrong = []
    for row in rows:
        case, file, test, numbers = row
        text = (TESTS / file).read_text(encoding="utf-8")
        tests = [node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
        if test not in tests or numbers not in text:
            wrong.append(case)
    assert wrong == []
