"""The documentation site has every page, no broken link, and loads nothing from other hosts."""

import os
import re
import subprocess
import sys
from dataclasses import fields
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from conftest import ROOT

import mnistgen
from mnistgen.manifest import Model

MKDOCS = ("mkdocs", "material", "mkdocstrings_handlers")
pytestmark = pytest.mark.skipif(
    not all(map(find_spec, MKDOCS)), reason="needs MkDocs: pip install -c constraints.txt -e '.[docs]'"
)
LOADING = {"audio", "embed", "iframe", "img", "link", "object", "script", "source", "video"}
"""Elements whose `src`, `href`, `srcset` or `data` browsers fetch without a click."""
FETCHED = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")
"""URLs in a style sheet."""


class Html(HTMLParser):
    """The anchors, references and text of a page."""

    def __init__(self, path: Path):
        super().__init__()
        self.ids: list[str] = []
        self.references: list[tuple[str, str]] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        facts = dict(attributes)
        self.ids += [facts[name] for name in ("id", "name") if facts.get(name) and (name == "id" or tag == "a")]
        self.references += [(tag, facts[name]) for name in ("href", "src", "srcset", "data") if facts.get(name)]

    def handle_data(self, data):
        self.text += data


def build(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(folder), *options]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built into a folder with a space in its name."""
    folder = tmp_path_factory.mktemp("site") / "site of mnistgen"
    done = build(folder)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Html]:
    return {path.resolve(): Html(path) for path in site.rglob("*.html")}


def test_navigation_links_every_page(site, pages):
    home = pages[site / "index.html"]
    linked = {urlsplit(reference).path for tag, reference in home.references if tag == "a"}
    sources = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")]
    assert len(sources) > 15
    assert [str(path) for path in sources if str(path.with_suffix(".html")) not in linked] == []


def test_no_broken_links(site, pages):
    dead = []
    for path, page in pages.items():
        for _, reference in page.references:
            target = urlsplit(reference)
            if target.scheme or path.name == "404.html":  # shown at any URL
                continue
            file = (path.parent / unquote(target.path)).resolve() if target.path else path
            is_there = file.is_file() and file.is_relative_to(site.resolve())
            anchors = pages[file].ids if file in pages else []
            if not is_there or (target.fragment and unquote(target.fragment) not in anchors):
                dead.append((str(path.relative_to(site)), reference))
    assert dead == []


def test_anchors_are_unique(site, pages):
    for path, page in pages.items():
        assert len(page.ids) == len(set(page.ids)), path


def test_nothing_loads_from_other_hosts(site, pages):
    fetched = [reference for page in pages.values() for tag, reference in page.references if tag in LOADING]
    sheets = [path.read_text(encoding="utf-8") for path in [*site.rglob("*.css"), *pages]]
    fetched += [imported or url for sheet in sheets for url, imported in FETCHED.findall(sheet)]
    assert len(fetched) > 100
    foreign = {address for address in fetched if urlsplit(address).scheme not in ("", "data") or address[:2] == "//"}
    assert foreign == set()
    for path in pages:
        assert "default-src 'self' file: data: 'unsafe-inline'" in path.read_text(encoding="utf-8"), path


def test_api_page_has_all_public_names(site, pages):
    page = pages[site / "api.html"]
    documented = {anchor.rpartition(".")[2] for anchor in page.ids if anchor.startswith("mnistgen")}
    assert {*mnistgen.__all__, "generate", "stream"} - documented == {"__version__"}
    assert "mnistgen.__version__" in page.text
    assert [name for name in documented if name.startswith("_")] == []
    assert ">>>" not in page.text


def test_api_page_has_all_fields(site, pages):
    ids = pages[site / "api.html"].ids
    assert {f"mnistgen.manifest.Model.{each.name}" for each in fields(Model)} <= {*ids}


def test_files_outside_docs_are_published(site, pages):
    assert (site / "artifacts" / "REPORT.html") in pages
    assert "import tkinter" in pages[site / "examples" / "tk_pad.py.html"].text
    assert (site / "tests" / "latents.json").read_bytes() == (ROOT / "tests" / "latents.json").read_bytes()


def test_broken_link_fails_the_build(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Start\n\n[nowhere](../artifacts/nowhere.md)\n")
    (tmp_path / "mkdocs.yml").write_text(f"site_name: x\nstrict: true\nhooks: [{ROOT}/docs/hooks/links.py]\n")
    done = build(tmp_path / "site", "--config-file", str(tmp_path / "mkdocs.yml"))
    assert done.returncode == 1
    assert "nowhere.md" in done.stderr
