"""The report: written from the certificates, with all of its pictures."""

import re
import shutil

import pytest
from click.testing import CliRunner
from conftest import ROOT
from PIL import Image

from export.report import command as report

ARTIFACTS = ROOT / "artifacts"


@pytest.fixture
def written(mnist, tmp_path, monkeypatch):
    """A folder of artifacts in which the report was written anew, from few digits."""
    monkeypatch.setattr(report, "READ", 40)
    folder = tmp_path / "artifacts"
    shutil.copytree(ARTIFACTS, folder, ignore=shutil.ignore_patterns("report", "REPORT.md"))
    done = CliRunner().invoke(report.main, ["--artifacts", str(folder), "--data", str(mnist)])
    assert done.exit_code == 0, done.output
    return folder


def test_the_report_that_ships_is_what_its_models_and_certificates_make(written):
    text = (written / "REPORT.md").read_text()
    assert text == (ARTIFACTS / "REPORT.md").read_text()
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert {str(path.relative_to(written)) for path in (written / "report").iterdir()} == set(shown)
    for name in shown:
        with Image.open(written / name) as new, Image.open(ARTIFACTS / name) as shipped:
            assert new.size == shipped.size, name


def test_without_certificates_the_report_says_what_to_run(tmp_path):
    shutil.copyfile(ARTIFACTS / "manifest.json", tmp_path / "manifest.json")
    done = CliRunner().invoke(report.main, ["--artifacts", str(tmp_path)])
    assert done.exit_code == 1
    assert "run python -m export.quality --all first" in done.output
