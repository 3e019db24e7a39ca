"""Files of requests: a JSON object on every line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from apps.cli.failures import WrongUsage


def read_requests(file: Path) -> list[dict[str, Any]]:
    """Return the objects of a file, - is stdin; empty lines are none.

    Raises:
        WrongUsage: naming the first line that is no JSON object; OSError: when the file cannot be read.
    """
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise WrongUsage(f"{file} is no UTF-8: {error}") from error
    requests = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            said = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise WrongUsage(f"{file}, line {number}: no JSON: {error}; nothing was sent") from error
        if not isinstance(said, dict):
            raise WrongUsage(f"{file}, line {number}: no JSON object; nothing was sent")
        requests.append(said)
    return requests
