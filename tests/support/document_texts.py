"""What tests read in our documents: fenced blocks, tables, links, commands; and consoles that are run again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```([\w ]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"^`([\w./-]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_RULE = re.compile(r"[\s─━]*")
ELLIPSIS = "…"


@dataclass(frozen=True)
class Command:
    """One command of a console block and the lines that the document says it prints."""

    line: str
    expected: tuple[str, ...]


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks in one language."""
    return [body for found, body in _FENCE.findall(text) if found.strip() == language]


def named_files(text: str) -> dict[str, str]:
    """The files that a document gives: "`path`:", then a fenced block."""
    return dict(_NAMED.findall(text))


def without_blocks(text: str) -> str:
    """The text outside fenced blocks."""
    return _FENCE.sub("", text)


def sections(text: str) -> dict[str, str]:
    """The text below each heading, up to the next heading of any level."""
    parts = re.split(r"^#{1,4} (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(text: str) -> list[list[str]]:
    """The cells of the body rows of every table, without code marks."""
    found: list[list[str]] = []
    body = False
    for line in text.splitlines():
        if not line.startswith("|"):
            body = False
        elif set(line) <= set("| -:"):
            body = True
        elif body:
            found.append([cell.strip().replace("`", "") for cell in line.strip().strip("|").split(" | ")])
    return found


def links(text: str) -> list[str]:
    """The targets of links that are no address."""
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(text)) if "://" not in target]


def anchors(text: str) -> set[str]:
    """The fragments by which headings can be linked to."""
    headings = re.findall(r"^#{1,6} (.+)$", without_blocks(text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(text: str) -> Iterator[list[str]]:
    """The words of every `octroi …` command: in code spans, in sh and console blocks, after any path."""
    spans = re.findall(r"`([^`\n]+)`", without_blocks(text))
    shown = [
        line.removeprefix("$ ")
        for kind in ("sh", "console", "ini", "")
        for body in blocks(text, kind)
        for line in body.splitlines()
    ]
    for code in [*spans, *shown]:
        match = re.search(r"(?:^|[ /=;])octroi (?=[a-z-])([^#;|&…]*)", code)
        if match:
            yield ["octroi", *shlex.split(match[1], comments=True)]


def make_targets(text: str) -> set[str]:
    """The targets of every `make …`."""
    code = "\n".join([*re.findall(r"`([^`\n]+)`", without_blocks(text)), *blocks(text, "sh"), *blocks(text, "")])
    return set(re.findall(r"(?:^|[ ;])make ([a-z]+)", code, flags=re.MULTILINE))


def consoles(text: str) -> list[Command]:
    """The commands of console blocks, in order."""
    found = []
    for body in blocks(text, "console"):
        for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
            line, _, output = part.partition("\n")
            found.append(Command(line, tuple(output.splitlines())))
    return found


def _plain(lines: list[str] | tuple[str, ...]) -> list[str]:
    return [" ".join(line.split()) for line in lines if not _RULE.fullmatch(line)]


def agrees(expected: tuple[str, ...], printed: str) -> bool:
    """Whether a console printed what the document says; "…" stands for anything, on a line of its own for any lines."""
    pattern = "".join(
        r"(?:.*\n)*" if line == ELLIPSIS else ".*".join(map(re.escape, line.split(ELLIPSIS))) + r"\n"
        for line in _plain(expected)
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _plain(printed.splitlines()))) is not None


def write_files(files: dict[str, str], root: Path) -> None:
    """Write the files that a document gives."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
