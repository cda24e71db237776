"""Links of the documents lead somewhere: to files, headings, and tests that are there."""

import re
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from integration_tests.documents.blocks import ROOT, documents

# [words](target "title"), and pictures; not within a block of code.
_LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)(?:\s+\"([^\"]*)\")?\)")
# Where something may be marked, but for files that only repeat what others say.
MARKED: Final = (
    "deploy", "docs", "manifests", "orchestration", "sandbox", "source-polygon", "streaming",
)  # fmt: skip
TEXTS: Final = {".md", ".py", ".sh", ".sql", ".yaml"}
MADE_OF_OTHERS: Final = {
    "decisions.md", "design.md", "manifest.yaml", "source-polygon.yaml", "streams.md",
    "unverified.md",
}  # fmt: skip
# Pages of the repository itself are told as GitHub resolves them, from the README.
_ABROAD: Final = ("https://", "http://", "mailto:", "../../actions/")


class Link(NamedTuple):
    """A link: where it stands, where it leads to, and the title beside it."""

    place: str
    folder: Path
    target: str
    title: str


def _links() -> list[Link]:
    found = []
    for document in documents():
        path, fenced = ROOT / document, False
        for number, line in enumerate(path.read_text().splitlines(), 1):
            fenced ^= line.lstrip().startswith("```")
            if fenced:
                continue
            found += [
                Link(f"{document}:{number}", path, target, title)
                for target, title in _LINK.findall(re.sub(r"`[^`]*`", "`", line))
            ]
    return found


@cache
def _anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"(?ms)^```.*?^```", "", path.read_text()), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _leads_nowhere(link: Link) -> bool:
    file, _, anchor = link.target.partition("#")
    path = (link.folder.parent / file).resolve() if file else link.folder
    return not path.exists() or (bool(anchor) and anchor not in _anchors(path))


def test_every_link_of_our_own_leads_somewhere() -> None:
    ours = [link for link in _links() if not link.target.startswith(_ABROAD)]
    assert len(ours) > 50
    assert [f"{link.place}: {link.target}" for link in ours if _leads_nowhere(link)] == []


def test_a_test_that_is_named_is_in_the_file_that_the_link_names() -> None:
    named = [link for link in _links() if link.title.startswith("test_")]
    assert len(named) > 30
    gone = [
        f"{link.place}: {link.title}"
        for link in named
        if f"def {link.title}(" not in (link.folder.parent / link.target).read_text()
    ]
    assert gone == []


def test_every_mark_of_something_unverified_is_in_the_table_and_none_else() -> None:
    table = (ROOT / "docs" / "unverified.md").read_text()
    files = [path for room in MARKED for path in (ROOT / room).rglob("*") if path.suffix in TEXTS]
    marked = {
        str(path.relative_to(ROOT))
        for path in files
        if path.name not in MADE_OF_OTHERS and "tests" not in path.parts and _is_marked(path)
    }
    listed = set(re.findall(r"`([\w.-]+(?:/[\w.-]+)+\.\w+)`", table))
    assert marked - listed == set(), "say in docs/unverified.md what is assumed and how to look"
    assert [path for path in listed if not (ROOT / path).exists()] == []
    assert listed - marked <= {"manifests/frame/cloud.yaml"}


def _is_marked(path: Path) -> bool:
    """Whether a file says that something is unverified, besides the plan that a stream needs."""
    text = re.sub(r"(?m)^\s*plan: .*unverified\)$", "", path.read_text())
    return bool(re.search(r"\bunverified\b(?!\.md)", text, re.IGNORECASE))
