"""The pages that people read, and what stands in them to be typed."""

import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from conftest import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("**/*.md")),
    ROOT / "artifacts" / "REPORT.md",
    ROOT / "artifacts" / "weights" / "README.md",
]
LANGUAGES = {"sh", "console", "python", "js", "json", "text"}
"""Of sh and console the lines are typed, and those of console take long; text is all that is not typed."""

_FENCE = re.compile(
    r"^(?P<indent> *)(?P<mark>```+)(?P<about>[^`\n]*)\n(?P<text>.*?)^(?P=indent)(?P=mark) *$", re.M | re.S
)
_HOLDS_INDENTED = re.compile(r" *([-*+]|\d+\.|!!!|\?\?\?\+?|===|:::) ")
"""What opens a list's item, or one of MkDocs' blocks."""


class Block(NamedTuple):
    page: Path
    line: int
    """Of the page, where the text begins; from 1."""
    language: str
    text: str


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks in order; `language` is empty where none is named."""
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start("text")) + 1
        language = (match["about"].split() or [""])[0]
        yield Block(page, line, language, textwrap.dedent(match["text"]))


def prose(page: Path) -> str:
    """The page without its fenced blocks, line by line where it was."""
    return _FENCE.sub(lambda match: "\n" * match[0].count("\n"), page.read_text(encoding="utf-8"))


def indented(page: Path) -> list[int]:
    """The lines at which a block of code begins that is indented, not fenced."""
    found, holder, blank = [], "", True
    for i, line in enumerate(prose(page).splitlines(), start=1):
        if blank and line.startswith("    ") and line.strip() and not _HOLDS_INDENTED.match(holder):
            found.append(i)
        if line.strip() and not line.startswith(" "):
            holder = line
        blank = not line.strip()
    return found


def spans(page: Path) -> list[str]:
    """What stands between backticks within a line."""
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", prose(page))


def lines(block: Block) -> Iterator[tuple[str, str]]:
    """Where each line of a shell's block stands, such as README.md:14, and the line; a continued one is one."""
    number = block.line
    for line in block.text.replace("\\\n", "\0").splitlines():
        typed = line.replace("\0", " ")
        if shlex.split(typed, comments=True):
            yield f"{name(block.page)}:{number}", typed
        number += 1 + line.count("\0")
