"""Time patterns such as `DD.MM.YYYY hh:mm:ss`: what they are made of.

`YYYY` is a year, `YY` a year from 2000 on, `MM`, `DD`, `hh`, `mm` and `ss` are two digits; `M`, `D` and `h` are one or two.
`f` is 1 to 9 digits of a fraction of a second, several `f` are exactly so many. `Z` is an offset: `Z`, `+02`, `+0200` or
`+02:00`. Anything else stands for itself, and so does what is between apostrophes: `hh'h'mm`; two of them are one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(r"'((?:[^']|'')*)'|YYYY|YY|MM?|DD?|hh?|mm|ss|f{1,9}|Z|[^'YMDhmsfZ]")
TOKENS = frozenset({"YYYY", "YY", "MM", "M", "DD", "D", "hh", "h", "mm", "ss", "Z"})
_SAME_AS = {"YY": "YYYY", "M": "MM", "D": "DD", "h": "hh"}
_NEEDS = {"hh": "DD", "mm": "hh", "ss": "mm", "f": "ss"}


class WrongPattern(ValueError):
    """The text is no pattern of an instant."""


def pattern_tokens(pattern: str) -> tuple[tuple[str, str], ...]:
    """Return (token, "") or ("", literal text) of all parts of a pattern, in order.

    Raises:
        WrongPattern: when it has an unknown letter, a part twice, or lacks one.
    """
    found = tuple(_split(pattern))
    seen = ["f" if token[0] == "f" else _SAME_AS.get(token, token) for token, _ in found if token]
    twice = [token for token in seen if seen.count(token) > 1]
    if twice:
        raise WrongPattern(f"the pattern {pattern!r} has {twice[0]} twice")
    missing = [token for token in ("YYYY", "MM", "DD") if token not in seen]
    missing += [need for token, need in _NEEDS.items() if token in seen and need not in seen]
    if missing:
        raise WrongPattern(f"the pattern {pattern!r} lacks {missing[0]}")
    return found


def _split(pattern: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(pattern):
        match = _TOKEN.match(pattern, at)
        if match is None:
            raise WrongPattern(
                f"{pattern[at:]!r} in the pattern {pattern!r} is none of YYYY YY MM M DD D hh h mm ss f Z; "
                "put text between apostrophes"
            )
        at = match.end()
        if match[0] in TOKENS or match[0][0] == "f":
            yield match[0], ""
        else:
            yield "", "'" if match[0] == "''" else (match[1] or match[0]).replace("''", "'")
