"""The decoders give the same answers when their kernels run as Python, so that a debugger and coverage see what is read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUBSET = (
    "tests/property/test_mediation_delimited_twin.py::test_decoder_and_twin_agree",
    "tests/property/test_mediation_events_twin.py::test_decoder_and_twin_agree",
    "tests/property/test_mediation_r151_twin.py::test_documents_in_usual_form",
    "tests/property/test_mediation_values.py",
)


def test_kernels_agree_with_their_twins_without_machine_code() -> None:
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "HYPOTHESIS_PROFILE": "ci"}
    command = [sys.executable, "-m", "pytest", "-n0", "-p", "no:cacheprovider", "-p", "no:randomly", *SUBSET]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
