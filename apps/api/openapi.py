"""The description of the HTTP API as a file: `python -m apps.api.openapi > docs/openapi.json` renews it."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version

from apps.api.app import make_app
from apps.api.gate import Gate
from apps.settings import Settings


def document() -> str:
    """Return the OpenAPI 3.1 document, as it is checked in."""
    settings = Settings()
    described = make_app(settings, Gate(settings), version=version("octroi")).openapi()
    return json.dumps(described, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
