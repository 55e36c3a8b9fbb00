"""A MkDocs hook that makes links to files outside docs/ work on the site.

Files that a page links to or that the nav lists are added to the site. Markdown and source code become pages; other
files are copied.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
DOCS = "docs/"
SOURCES = {".py": "python", ".js": "js", "": "text"}
"""Suffixes of files that become pages of source code, with the language of each."""
_LINK = re.compile(r"(?<=\]\()[^)#\s]+")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add files outside docs/ that the nav lists or that any page links to."""
    named = [path for path in _leaves(config.nav) if not files.get_file_from_path(path)]
    pages = [DOCS + file.src_uri for file in files.documentation_pages()]
    wanted = [*named, *(target for page in pages for target in _targets(page))]
    while wanted:
        path = wanted.pop()
        if not files.get_file_from_path(_place(path)):
            files.append(_file(path, config))
            wanted += _targets(path) if path.endswith(".md") else []
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Replace links to paths in the repository by links to paths on the site."""
    uri = page.file.src_uri
    path = DOCS + uri if (ROOT / DOCS / uri).is_file() else uri

    def placed(link: re.Match[str]) -> str:
        target = _target(path, link[0])
        return posixpath.relpath(_place(target), posixpath.dirname(uri)) if target else link[0]

    return _LINK.sub(placed, markdown)


def _leaves(nav: object) -> Iterator[str]:
    """Return the paths in a nav, at any depth."""
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, dict | list):
        for part in nav.values() if isinstance(nav, dict) else nav:
            yield from _leaves(part)


def _targets(path: str) -> list[str]:
    """Return the files in the repository that the page at `path` links to."""
    links = _LINK.findall((ROOT / path).read_text(encoding="utf-8"))
    return [target for link in links if (target := _target(path, link))]


def _target(path: str, link: str) -> str | None:
    """Return the file in the repository that `link` on the page at `path` refers to, or None."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), link))
    return target if (ROOT / target).is_file() else None


def _place(path: str) -> str:
    """Return the path of a file among the site's sources."""
    return path.removeprefix(DOCS) + (".md" if Path(path).suffix in SOURCES else "")


def _file(path: str, config: MkDocsConfig) -> File:
    inclusion = InclusionLevel.INCLUDED if path in _leaves(config.nav) else InclusionLevel.NOT_IN_NAV
    language = SOURCES.get(Path(path).suffix)
    if not language:
        return File.generated(config, _place(path), abs_src_path=str(ROOT / path), inclusion=inclusion)
    source = (ROOT / path).read_text(encoding="utf-8")
    page = f"---\ntitle: {path}\nsearch:\n  exclude: true\n---\n\n````{language}\n{source}````\n"
    return File.generated(config, _place(path), content=page, inclusion=inclusion)
