"""The evaluator that quality metrics are computed with."""

import pytest
import torch
from conftest import ROOT

from export.errors import ExportError
from export.quality.evaluate import load_evaluator
from training import data
from training.evaluator import augment, predict

WEIGHTS = ROOT / "artifacts" / "weights" / "evaluator.safetensors"


@pytest.fixture(scope="module")
def evaluator():
    return load_evaluator(WEIGHTS)


def test_committed_weights_are_small():
    assert WEIGHTS.stat().st_size < 2_000_000


def test_accuracy_on_mnist_test_set(mnist, evaluator):
    test = data.load(mnist, "test")
    images, labels = test.images[::5], test.labels[::5]  # the certificates hold the accuracy on all 10,000
    predictions = predict(evaluator, images)
    assert predictions.features.shape == (2_000, 128)
    assert (predictions.features >= 0).all()
    torch.testing.assert_close(predictions.probabilities.sum(1), torch.ones(2_000))
    assert (predictions.probabilities.argmax(1) == labels).float().mean() >= 0.995


def test_predictions_do_not_depend_on_batch(evaluator):
    images = torch.randint(256, (501, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    batched = predict(evaluator, images)
    single = predict(evaluator, images[-1:])
    torch.testing.assert_close(batched.features[-1:], single.features)


def test_augment_moves_ink_slightly():
    torch.manual_seed(0)
    images = torch.zeros(100, 1, 28, 28)
    images[..., 12:16, 12:16] = 1
    augmented = augment(images)
    assert augmented.shape == images.shape
    assert 0 <= augmented.min() <= augmented.max() <= 1
    assert len(augmented.unique(dim=0)) == 100
    assert augmented.sum((1, 2, 3)) == pytest.approx(torch.full((100,), 16.0), rel=0.4)
    assert augmented[..., 8:20, 8:20].sum() == pytest.approx(augmented.sum().item())


@pytest.mark.parametrize(
    ("content", "words"), [(None, "Cannot read"), (b"no weights", "damaged"), ("gan", "another network")]
)
def test_unusable_weights_are_refused(tmp_path, content, words):
    path = tmp_path / "evaluator.safetensors"
    if content == "gan":
        content = (WEIGHTS.parent / "gan.safetensors").read_bytes()
    if content:
        path.write_bytes(content)
    with pytest.raises(ExportError, match=words) as error:
        load_evaluator(path)
    assert "python -m training.evaluator" in str(error.value)
