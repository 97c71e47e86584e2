"""The commands that the documentation tells people to type.

Law: reads pages, runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "examples" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
)
PROGRAMS = ("make", "kubectl", "helm", "canary-operator", "python", "docker", "pip")

_COMMENT = re.compile(r"\s+#\s.*$")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of commands, one after another, as somebody would paste it."""

    page: str
    line: int
    script: str

    def commands(self) -> list[str]:
        """Its lines without remarks, those that go on in the next one joined."""
        joined = self.script.replace("\\\n", " ")
        lines = (without_remark(line) for line in joined.splitlines())
        return [line for line in lines if line and not line.startswith("#")]


def without_remark(line: str) -> str:
    """A command as it is typed, with single spaces and without what is said about it."""
    return " ".join(_COMMENT.sub("", line).split())


def blocks(page: Path) -> list[Block]:
    """The console blocks of a page, in its order."""
    name = str(page.relative_to(ROOT))
    tokens = MarkdownIt("commonmark").parse(page.read_text())
    return [
        Block(name, (token.map or [0])[0] + 1, token.content)
        for token in tokens
        if token.type == "fence" and token.info == "console"
    ]


def mentioned(page: Path) -> Iterator[str]:
    """Commands that stand in sentences of a page, or in blocks of plain text: those that begin with a program."""
    for token in MarkdownIt("commonmark").parse(page.read_text()):
        texts = [child.content for child in token.children or () if child.type == "code_inline"]
        if token.type == "code_block":
            texts += token.content.splitlines()
        for text in texts:
            command = without_remark(text)
            program, _, rest = command.partition(" ")
            if rest and program in PROGRAMS:
                yield command
