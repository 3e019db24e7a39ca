"""Money is integers with a scale; nothing named like money is binary floating point (ADR 0006)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOMS = ("billing", "pipelines", "rating", "schemas", "sinks")
MONEY = re.compile(r"amount|price|balance|tax|cost|fee(?!d)", re.IGNORECASE)
FLOAT = re.compile(r"^(float|floating|double|half|f)(?:_?\d+)?$", re.IGNORECASE)


def _is_float(node: ast.AST | None) -> bool:
    """Say whether a type or a value mentions a floating-point type, number or conversion."""
    if node is None:
        return False
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and (isinstance(part.value, float) or _names_float(part.value)):
            return True
        name = part.id if isinstance(part, ast.Name) else part.attr if isinstance(part, ast.Attribute) else ""
        if FLOAT.match(name) and name.lower() != "f":
            return True
    return False


def _names_float(value: object) -> bool:
    return isinstance(value, str) and re.search(r"\bfloat\d*\b|^[<>=]?f[248]$", value, re.IGNORECASE) is not None


def _named(node: ast.AST) -> Iterator[tuple[str, ast.AST | None]]:
    """Yield (name, type or value) of everything that a node gives a name."""
    if isinstance(node, ast.AnnAssign):
        yield ast.unparse(node.target), node.annotation
        yield ast.unparse(node.target), node.value
    elif isinstance(node, ast.Assign):
        yield from ((ast.unparse(target), node.value) for target in node.targets)
    elif isinstance(node, ast.AugAssign):
        yield ast.unparse(node.target), node.value
    elif isinstance(node, ast.NamedExpr):
        yield node.target.id, node.value
    elif isinstance(node, ast.arg):
        yield node.arg, node.annotation
    elif isinstance(node, ast.keyword) and node.arg:
        yield node.arg, node.value
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.name, node.returns
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        # pa.field("amount", pa.float64()), pl.Series("amount", …, pl.Float64)
        yield from ((str(node.args[0].value), argument) for argument in node.args[1:])
    elif isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        yield from (
            (key.value, value) for key, value in pairs if isinstance(key, ast.Constant) and str(key.value) == key.value
        )


def _breaches(source: str) -> set[tuple[int, str]]:
    return {
        (getattr(node, "lineno", 0), name)
        for node in ast.walk(ast.parse(source))
        for name, meaning in _named(node)
        if MONEY.search(name) and _is_float(meaning)
    }


@pytest.mark.parametrize(
    "source",
    [
        "amount: float",
        "def f(price: np.float64) -> None: ...",
        "def total_cost() -> list[float]: ...",
        "self.balance = np.zeros(3, np.float64)",
        "tax = float(text)",
        "price = 0.1",
        "amount += 0.5",
        "pa.field('amount', pa.float64())",
        "schema = {'unit_price': pl.Float64}",
        "prices = np.zeros(3, dtype='float32')",
        "rated(amount=1.5)",
    ],
)
def test_a_breach_is_seen(source: str) -> None:
    assert _breaches(source)


@pytest.mark.parametrize(
    "source",
    ["amount: int", "seconds: float", "tax = Decimal('0.2')", "price: str = 'dearer'", "feed: float", "cost = 3 // 2"],
)
def test_what_is_exact_passes(source: str) -> None:
    assert not _breaches(source)


def test_no_money_is_a_float(tracked: list[Path], root: Path) -> None:
    found = [
        f"{path.relative_to(root)}:{line}: {name}"
        for path in tracked
        if path.suffix == ".py" and path.relative_to(root).parts[0] in ROOMS
        for line, name in sorted(_breaches(path.read_text()))
    ]
    assert found == []
