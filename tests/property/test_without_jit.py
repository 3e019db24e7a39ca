"""Kernels give the same answers when they run as Python, so that a debugger and coverage see what is read and billed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SUBSETS = {
    "decoding": (
        "tests/property/test_mediation_delimited_twin.py::test_decoder_and_twin_agree",
        "tests/property/test_mediation_fixed_width_twin.py::test_decoder_and_twin_agree",
        "tests/property/test_mediation_events_twin.py::test_decoder_and_twin_agree",
        "tests/property/test_mediation_r151_twin.py::test_documents_in_usual_form",
        "tests/property/test_mediation_values.py",
        "tests/property/test_mediation_ber_twin.py",
    ),
    "mapping": (
        "tests/property/test_mediation_mapping_twin.py",
        "tests/property/test_mediation_json_twin.py::test_frame_and_twin_find_the_same_records",
        "tests/unit/mediation/test_json_layouts.py",
    ),
    "resource": (
        "tests/property/test_dedup_stateful.py",
        "tests/unit/mediation/test_siphash.py",
        "tests/unit/resource/test_reopening.py",
        "tests/unit/resource/test_neighbours.py::test_a_record_is_known_across_midnight",
        "tests/property/test_resource_assembly.py::test_the_order_of_parts_and_of_blocks_changes_no_edr",
        "tests/property/test_reversal_twin.py",
        "tests/property/test_chain.py",
    ),
    "rating": (
        "tests/property/test_rating_twin.py::test_kernels_and_twin_agree",
        "tests/property/test_condition_twin.py",
        "tests/property/test_formula_twin.py",
        "tests/unit/rating/test_wide.py",
        "tests/unit/rating/test_rate.py",
        "tests/unit/rating/test_plain.py::test_what_fits_has_the_amount_of_the_long_way",
        "tests/tables/test_rating_prices.py",
        "tests/tables/test_rating_clocks.py",
    ),
    "models": (
        "tests/property/test_rating_models_twin.py",
        "tests/property/test_destination_twin.py",
        "tests/property/test_matrix_twin.py",
        "tests/property/test_value_twin.py",
        "tests/tables/test_rating_models.py",
        "tests/tables/test_rating_crossing.py",
        "tests/tables/test_rating_calendars.py",
        "tests/tables/test_rating_peers.py",
    ),
    "features": (
        "tests/property/test_mixed_catalogs.py",
        "tests/property/test_items_twin.py::test_kernels_and_twin_agree",
        "tests/property/test_triggers_twin.py::test_kernels_and_twin_agree",
        "tests/property/test_roll_over_twin.py::test_kernels_and_twin_agree",
        "tests/property/test_peak_twin.py::test_a_period_pays_for_its_largest_usage_in_any_order",
        "tests/property/test_notify_twin.py::test_kernels_and_twin_tell_the_same",
        "tests/property/test_contract_twin.py::test_contracts_agree_with_the_twin",
        "tests/property/test_exchange_twin.py::test_conversions_agree_with_the_twin",
        "tests/property/test_lookup_twin.py::test_what_is_looked_up_agrees_with_the_twin",
        "tests/unit/rating/test_straight.py::test_both_ways_give_the_same_bytes",
    ),
}


@pytest.mark.parametrize("part", SUBSETS)
def test_kernels_agree_with_their_twins_without_machine_code(part: str) -> None:
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "HYPOTHESIS_PROFILE": "ci"}
    command = [sys.executable, "-m", "pytest", "-n0", "-p", "no:cacheprovider", "-p", "no:randomly", *SUBSETS[part]]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
