"""The fenced blocks of the documents, and what a block says that it needs.

Each block names its language. Commands are `sh`. Their first line may be `# needs ...`: an account,
a key, Docker. A reader sees it, and a test that has no such thing leaves the block out.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
_FENCE: Final = re.compile(r"^( *)```(.*)$")
_HEADING: Final = re.compile(r"^#+ (.+)$")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        document: path of the file, from the root.
        heading: the heading above it; the file's title at its beginning.
        line: of the fence, from 1.
        language: what stands behind the fence.
        text: its lines, without what all are indented by.
    """

    document: str
    heading: str
    line: int
    language: str
    text: str

    @property
    def needs(self) -> str:
        """What the block says that it needs, besides this repository; empty if nothing."""
        found = re.match(r"# needs (.+)\n", self.text)
        return found[1] if found else ""

    @property
    def commands(self) -> list[str]:
        """Its lines without comments."""
        lines = (re.sub(r"(^|\s+)# .*$", "", line).rstrip() for line in self.text.splitlines())
        return [line for line in lines if line]

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def documents() -> list[str]:
    """Return every Markdown file that is for readers of this repository."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md")]
    return sorted(str(path.relative_to(ROOT)) for path in found)


def blocks(document: str) -> list[Block]:
    """Return the blocks of a document, in their order."""
    found: list[Block] = []
    heading = ""
    inside: tuple[int, str, list[str], str] | None = None
    for number, line in enumerate((ROOT / document).read_text().splitlines(), 1):
        fence = _FENCE.match(line)
        if inside is not None:
            if fence:
                found.append(Block(document, heading, inside[0], inside[1], "".join(inside[2])))
                inside = None
            else:
                inside[2].append(line.removeprefix(inside[3]) + "\n")
        elif fence:
            inside = (number, fence[2].strip(), [], fence[1])
        elif title := _HEADING.match(line):
            heading = title[1]
    return found


def below(document: str, *headings: str) -> list[Block]:
    """Return the blocks of commands below some headings of a document.

    Raises:
        LookupError: a heading has none; it may have been renamed.
    """
    commands = [block for block in blocks(document) if block.language == "sh"]
    for heading in headings:
        if not any(block.heading == heading for block in commands):
            raise LookupError(f"{document} has no commands below {heading!r}")
    return [block for block in commands if block.heading in headings]
