"""The digit reader that quality is measured with."""

import pytest
import torch
from conftest import ROOT

from export.errors import ExportError
from export.quality.evaluate import load_reader
from training import data
from training import evaluator as reader

WEIGHTS = ROOT / "artifacts" / "weights" / "reader.safetensors"


def test_the_committed_weights_are_small():
    assert WEIGHTS.stat().st_size < 2_000_000


def test_it_reads_the_test_set_at_99_5_percent(mnist):
    test = data.load(mnist, "test")
    reading = reader.read(load_reader(WEIGHTS), test.images)
    assert reading.features.shape == (10_000, 128)
    assert (reading.features >= 0).all()
    torch.testing.assert_close(reading.probabilities.sum(1), torch.ones(10_000))
    assert (reading.probabilities.argmax(1) == test.labels).float().mean() >= 0.995


def test_it_reads_an_image_alike_whatever_it_is_read_with():
    images = torch.randint(256, (501, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    together = reader.read(load_reader(WEIGHTS), images)
    alone = reader.read(load_reader(WEIGHTS), images[-1:])
    torch.testing.assert_close(together.features[-1:], alone.features)


def test_jitter_moves_the_ink_a_little_and_keeps_it_ink():
    torch.manual_seed(0)
    images = torch.zeros(100, 1, 28, 28)
    images[..., 12:16, 12:16] = 1
    moved = reader.jitter(images)
    assert moved.shape == images.shape
    assert 0 <= moved.min() <= moved.max() <= 1
    assert len(moved.unique(dim=0)) == 100
    assert moved.sum((1, 2, 3)) == pytest.approx(torch.full((100,), 16.0), rel=0.4)
    assert moved[..., 8:20, 8:20].sum() == pytest.approx(moved.sum().item())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read .*: make it with python -m training.evaluator"),
        (b"no weights", "is damaged: make it anew"),
        ("gan", "holds no weights of the reader"),
    ],
)
def test_weights_that_are_not_the_readers_are_told(tmp_path, content, words):
    path = tmp_path / "reader.safetensors"
    if content == "gan":
        content = (WEIGHTS.parent / "gan.safetensors").read_bytes()
    if content:
        path.write_bytes(content)
    with pytest.raises(ExportError, match=words):
        load_reader(path)
