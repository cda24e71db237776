"""What the site needs beside docs/: the README as its first page, and links that leave the folder.

In the repository a document links to any file by its path. On the site such a link leads to the
repository where its address is known (`repo_url`), and is plain words where it is not.
"""

import posixpath
import re
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

# A picture or words, which may hold pictures, and where they lead.
_LINK: Final = re.compile(
    r"(!?)\[((?:[^\[\]]|\[[^\]]*\]\([^)]*\))*)\]\(([^)\s]+)((?:\s+\"[^\"]*\")?)\)"
)
_FENCED: Final = re.compile(r"(?ms)^```.*?^```$")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the README as the first page."""
    readme = Path(config.docs_dir).parent / "README.md"
    content = linked(readme.read_text(), "", config.repo_url)
    files.append(File.generated(config, "index.md", content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links out of docs/ to the repository."""
    of_readme = page.file.src_uri == "index.md"
    return markdown if of_readme else linked(markdown, "docs", config.repo_url)


def linked(text: str, folder: str, repository: str | None) -> str:
    """Return a text whose links are right on the site.

    Args:
        text: Markdown.
        folder: where it stands in the repository.
        repository: address of the repository; without it links out of docs/ are words alone.
    """
    kept: list[str] = []

    def keep(block: re.Match[str]) -> str:
        kept.append(block[0])
        return f"\0{len(kept) - 1}\0"

    def lead(link: re.Match[str]) -> str:
        image, words, target, title = link.groups()
        words = _LINK.sub(lead, words)
        if re.match(r"[a-z]+:|#", target):
            return f"{image}[{words}]({target}{title})"
        path = posixpath.normpath(posixpath.join(folder, target))
        if path.startswith("docs/"):
            return f"{image}[{words}]({path.removeprefix('docs/')}{title})"
        if not repository:
            return "" if image else words
        # Beyond the root are the repository's own pages, such as its actions.
        beyond = path.startswith("../../")
        place = path.removeprefix("../../") if beyond else f"blob/main/{path}"
        return f"{image}[{words}]({repository.rstrip('/')}/{place}{title})"

    text = _LINK.sub(lead, _FENCED.sub(keep, text))
    if not folder:
        text = re.sub(r'\b(src|srcset)="docs/', r'\1="', text)
    return re.sub(r"\0(\d+)\0", lambda mark: kept[int(mark[1])], text)
