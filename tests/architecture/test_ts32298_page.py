"""docs/ts32298.md lists every field that the decoder knows, and no other."""

from __future__ import annotations

from pathlib import Path

from ts32298_page import page


def test_the_page_is_what_the_tables_say(root: Path) -> None:
    """To write it again: `PYTHONPATH=tests/support:. python -c "import ts32298_page as p; print(p.page(), end='')"`."""
    assert (root / "docs" / "ts32298.md").read_text() == page()
