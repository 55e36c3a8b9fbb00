"""The report command: REPORT.md, its figures and the model cards."""

import io
import re
import shutil
from contextlib import contextmanager

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import MODELS, ROOT
from PIL import Image

import mnistgen
from export.report import command, figures, pictures

ARTIFACTS = ROOT / "artifacts"


@contextmanager
def shipped_model(name, weights, threads=None):
    """Replace the export of the seed recipe's model."""
    yield mnistgen.load(name, device="cpu")


def test_shipped_report_is_up_to_date(mnist, tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "EXTREMES_OF", 40)
    monkeypatch.setattr(pictures, "temporary_generator", shipped_model)  # only sizes of pictures are compared
    folder, cards = tmp_path / "artifacts", tmp_path / "cards"
    shutil.copytree(ARTIFACTS, folder, ignore=shutil.ignore_patterns("report", "REPORT.md"))
    arguments = ["--artifacts", str(folder), "--cards", str(cards), "--data", str(mnist)]
    done = CliRunner().invoke(command.main, arguments)
    assert done.exit_code == 0, done.output

    text = (folder / "REPORT.md").read_text(encoding="utf-8")
    assert text == (ARTIFACTS / "REPORT.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert {str(path.relative_to(folder)) for path in (folder / "report").iterdir()} == set(shown)
    for name in shown:
        with Image.open(folder / name) as new, Image.open(ARTIFACTS / name) as shipped:
            assert new.size == shipped.size, name
            if name.startswith("report/samples-"):  # the tuned recipe's digits, on the right
                tuned = [np.asarray(image)[:, -560:].astype(int) for image in (new, shipped)]
                assert np.abs(tuned[0] - tuned[1]).max() <= 1, name
    assert {path.stem for path in cards.iterdir()} == set(MODELS)  # test_cards.py compares their text


def test_captioned_digits_are_white_on_black():
    images = np.stack([np.full((28, 28), level, np.uint8) for level in (0, 255)])
    with Image.open(io.BytesIO(figures.captioned(images, ["no ink", "ink"], columns=2))) as picture:
        width, height = picture.size
        left, right = (picture.convert("L").getpixel((x, height * 2 // 3)) for x in (width // 4, width * 3 // 4))
    assert (left, right) == (0, 255)


@pytest.mark.parametrize("missing", ["manifest.json", "references.json", "weights/gan.metrics.jsonl"])
def test_missing_file_prevents_writing(tmp_path, missing):
    folder, cards = tmp_path / "artifacts", tmp_path / "cards"
    shutil.copytree(ARTIFACTS, folder, ignore=shutil.ignore_patterns("*.png", "*.onnx", "*.safetensors", "REPORT.md"))
    (folder / missing).unlink()
    done = CliRunner().invoke(command.main, ["--artifacts", str(folder), "--cards", str(cards)])
    assert (done.exit_code, done.output.count("\n")) == (1, 1)
    assert "python -m export.quality --all" in done.output
    assert not cards.exists()
    assert not (folder / "REPORT.md").exists()


def test_unwritable_card_folder(mnist, tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "draw", lambda *arguments: {})
    folder = tmp_path / "artifacts"
    shutil.copytree(ARTIFACTS, folder, ignore=shutil.ignore_patterns("*.png", "*.onnx"))
    before = (folder / "REPORT.md").stat().st_mtime_ns
    (tmp_path / "file").touch()
    arguments = ["--artifacts", str(folder), "--cards", str(tmp_path / "file" / "cards"), "--data", str(mnist)]
    done = CliRunner().invoke(command.main, arguments)
    assert (done.exit_code, done.output.count("\n")) == (1, 1)
    assert "Not a directory" in done.output
    assert "--cards" in done.output
    assert (folder / "REPORT.md").stat().st_mtime_ns == before
