"""`python -m apps.cli` is `octroi`."""

from __future__ import annotations

from apps.cli.main import main

main()
