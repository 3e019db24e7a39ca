"""Expressions of conditions and formulas, as trees: the syntax of CEL, of which they use a part.

```
expression  = or [ "?" or ":" expression ]          or  = and { "||" and }         and = relation { "&&" relation }
relation    = sum { ( "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" ) sum }
sum         = product { ( "+" | "-" ) product }     product = unary { ( "*" | "/" | "%" ) unary }
unary       = { "!" | "-" } primary { "." name [ arguments ] | "[" expression "]" }
primary     = name [ arguments ] | number | text | "true" | "false" | "(" expression ")" | "[" list "]"
```

Numbers are decimal (`12`, `0.5`), texts stand in quotes of either kind. What a usage says has a name of its own; one that CEL
does not read as a name is written `usage["rating-group"]`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

DEPTH_MAX = 24
"""How deep parentheses, calls and operators may nest."""
OPERATORS_MAX = 100
"""Of one expression, those between two operands."""
LENGTH_MAX = 2_000
DIGITS_MAX = 18
"""Of one number."""
USAGE = "usage"
"""What stands for the whole usage: `usage.size` is `size`."""
_STATEMENTS = ("break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "return", "var")
RESERVED = frozenset((*_STATEMENTS, "as", "false", "in", "namespace", "null", "package", "true", "void", "while"))
"""Words that CEL keeps for itself."""


class UnableToParse(ValueError):
    """An expression is not well formed; `column` counts characters from 1."""

    def __init__(self, message: str, column: int) -> None:
        """Keep the column."""
        super().__init__(f"column {column}: {message}")
        self.column = column


@dataclass(frozen=True, slots=True)
class Node:
    """A part of an expression; `column` is where it starts, or where its operator stands."""

    column: int


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A decimal number."""

    value: Decimal


@dataclass(frozen=True, slots=True)
class Text(Node):
    """A text in quotes."""

    value: str


@dataclass(frozen=True, slots=True)
class Truth(Node):
    """`true` or `false`."""

    value: bool


@dataclass(frozen=True, slots=True)
class Name(Node):
    """What a usage says, by its name."""

    name: str
    selected: bool = False
    """Whether it is written `usage.NAME`."""


@dataclass(frozen=True, slots=True)
class Items(Node):
    """A list."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Apply(Node):
    """An operator or a function applied to its arguments; a method has what stands before the dot as the first one.

    `operator` is as it is written; `?:` has the condition and both choices, `-` and `!` one argument or, `-`, two.
    """

    operator: str
    arguments: tuple[Node, ...]


_TOKEN = re.compile(
    r"""\s*(?:(?P<number>[0-9]+(?:\.[0-9]+)?(?![0-9A-Za-z_.]))|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"""
    r"""|(?P<text>"(?:[^"\\\n]|\\["'\\])*"|'(?:[^'\\\n]|\\["'\\])*')"""
    r"""|(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]]))"""
)
_LEVELS = (("||",), ("&&",), ("==", "!=", "<", "<=", ">", ">=", "in"), ("+", "-"), ("*", "/", "%"))


def parse_expression(text: str) -> Node:
    """Return the tree of an expression.

    Raises:
        UnableToParse: when it is not well formed, or too long or too deep.
    """
    if len(text) > LENGTH_MAX:
        raise UnableToParse(f"an expression has at most {LENGTH_MAX} characters", LENGTH_MAX + 1)
    return _Parser(text).whole()


def names_of(node: Node) -> set[str]:
    """Return every name that an expression reads."""
    if isinstance(node, Name):
        return {node.name}
    parts = node.arguments if isinstance(node, Apply) else node.items if isinstance(node, Items) else ()
    return {name for part in parts for name in names_of(part)}


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str, int]] = []
        position = 0
        while text[position:].strip():
            found = _TOKEN.match(text, position)
            if found is None:
                start = position + len(text[position:]) - len(text[position:].lstrip())
                raise UnableToParse(f"{text[start : start + 8]!r} cannot be read", start + 1)
            kind = found.lastgroup or ""
            self._tokens.append((kind, found[kind], found.start(kind) + 1))
            position = found.end()
        self._end = len(text) + 1
        self._next = 0
        self._depth = 0
        self._operators = 0

    def whole(self) -> Node:
        node = self._expression()
        if self._next < len(self._tokens):
            raise UnableToParse(f"unexpected {self._sign()!r}", self._column())
        return node

    def _sign(self) -> str:
        return self._tokens[self._next][1] if self._next < len(self._tokens) else ""

    def _kind(self) -> str:
        return self._tokens[self._next][0] if self._next < len(self._tokens) else "end"

    def _column(self) -> int:
        return self._tokens[self._next][2] if self._next < len(self._tokens) else self._end

    def _take(self, *signs: str) -> str | None:
        """Return the next sign and pass it, if it is one of `signs`."""
        if self._kind() in ("sign", "name") and self._sign() in signs:
            self._next += 1
            return self._tokens[self._next - 1][1]
        return None

    def _expect(self, sign: str) -> None:
        if self._take(sign) is None:
            found = f"not {self._sign()!r}" if self._sign() else "but the expression ends"
            raise UnableToParse(f"{sign!r} is expected here, {found}", self._column())

    def _expression(self) -> Node:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise UnableToParse(f"it nests more than {DEPTH_MAX} deep", self._column())
        node = self._level(0)
        column = self._column()
        if self._take("?"):
            then = self._level(0)
            self._expect(":")
            node = Apply(column, "?:", (node, then, self._expression()))
        self._depth -= 1
        return node

    def _level(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        node = self._level(level + 1)
        while True:
            column = self._column()
            sign = self._take(*_LEVELS[level])
            if sign is None:
                return node
            self._operators += 1
            if self._operators > OPERATORS_MAX:
                raise UnableToParse(f"an expression has at most {OPERATORS_MAX} operators", column)
            node = Apply(column, sign, (node, self._level(level + 1)))

    def _unary(self) -> Node:
        column = self._column()
        sign = self._take("!", "-")
        if sign is None:
            return self._member()
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise UnableToParse(f"it nests more than {DEPTH_MAX} deep", column)
        node = self._unary()
        self._depth -= 1
        return Apply(column, sign, (node,))

    def _member(self) -> Node:
        node = self._primary()
        while True:
            column = self._column()
            if self._take("."):
                name, column = self._sign(), self._column()
                if self._kind() != "name":
                    raise UnableToParse("a name is expected after the dot", column)
                self._next += 1
                if self._sign() == "(":
                    node = Apply(column, name, (node, *self._list("(", ")")))
                else:
                    node = self._of_usage(node, name, column, selected=True)
            elif self._take("["):
                key = self._expression()
                self._expect("]")
                if not isinstance(key, Text):
                    raise UnableToParse("write a name in quotes between the brackets", key.column)
                node = self._of_usage(node, key.value, key.column, selected=False)
            else:
                return node

    def _of_usage(self, node: Node, name: str, column: int, *, selected: bool) -> Node:
        if node != Name(node.column, USAGE):
            raise UnableToParse(f"only {USAGE} has fields: write {USAGE}.{name}", column)
        return Name(column, name, selected=selected)

    def _primary(self) -> Node:
        kind, sign, column = self._kind(), self._sign(), self._column()
        if kind == "end":
            raise UnableToParse("the expression ends too early", column)
        if sign == "[":
            return Items(column, self._list("[", "]"))
        self._next += 1
        if sign == "(":
            node = self._expression()
            self._expect(")")
            return node
        if kind == "number":
            if len(sign.replace(".", "").lstrip("0")) > DIGITS_MAX:
                raise UnableToParse(f"a number has at most {DIGITS_MAX} digits", column)
            return Number(column, Decimal(sign))
        if kind == "text":
            return Text(column, re.sub(r"\\(.)", r"\1", sign[1:-1]))
        if sign in ("true", "false"):
            return Truth(column, sign == "true")
        if kind != "name" or sign in RESERVED:
            raise UnableToParse(f"unexpected {sign!r}", column)
        return Apply(column, sign, self._list("(", ")")) if self._sign() == "(" else Name(column, sign)

    def _list(self, opening: str, closing: str) -> tuple[Node, ...]:
        self._expect(opening)
        items: list[Node] = []
        while not self._take(closing):
            if items:
                self._expect(",")
            items.append(self._expression())
        return tuple(items)
