"""The verifier that ships: exported reproducibly, and as accurate as the manifest says."""

import hashlib
import re

import numpy as np
import onnx
import pytest
import torch
from conftest import ROOT

from export import verifier as export_verifier
from export import weights
from export.artifacts import manifest_bytes, read_models
from mnistgen import verify
from mnistgen.manifest import Manifest
from training import data
from training.verifier import Verifier, distort

ARTIFACTS = ROOT / "artifacts"


@pytest.fixture(scope="module")
def verifier() -> verify.Verifier:
    return verify.Verifier(Manifest(ARTIFACTS))


def test_verifier_accuracy_matches_manifest(mnist, verifier):
    test = data.load(mnist, "test")
    read = np.concatenate([verifier.read(images[:, 0].numpy()) for images in test.images.split(500)])
    accuracy = (read.argmax(1) == test.labels.numpy()).mean()
    assert accuracy == Manifest(ARTIFACTS).verifier.test_accuracy
    assert accuracy >= 0.994


def test_manifest_describes_shipped_verifier():
    listed_verifier = Manifest(ARTIFACTS).verifier
    content = (ARTIFACTS / "verifier.onnx").read_bytes()
    found = weights.read("verifier", ARTIFACTS / "weights" / "verifier.safetensors")
    assert (len(content), hashlib.sha256(content).hexdigest()) == (listed_verifier.bytes, listed_verifier.sha256)
    assert len(content) < 400_000
    assert found.sha256 == listed_verifier.weights_sha256
    assert listed_verifier.verification["largest_difference"] <= 1e-5
    assert (listed_verifier.training_data, len(listed_verifier.git_revision)) == ("MNIST, training set", 40)
    assert manifest_bytes(read_models(ARTIFACTS), listed_verifier) == (ARTIFACTS / "manifest.json").read_bytes()


def test_exported_verifier_equals_committed_file():
    found = weights.read("verifier", ARTIFACTS / "weights" / "verifier.safetensors")
    content = export_verifier.build_verifier(found)
    assert content == (ARTIFACTS / "verifier.onnx").read_bytes()
    model = onnx.load_from_string(content)
    assert (model.ir_version, [(o.domain, o.version) for o in model.opset_import]) == (7, [("", 13)])
    for trace in (b".py", b"/home", b"site-packages", b"Traceback"):
        assert trace not in content


def test_verifier_is_independent_of_evaluator():
    network = Verifier()
    assert 50_000 < sum(parameter.numel() for parameter in network.parameters()) < 150_000
    source = (ROOT / "training" / "verifier.py").read_text(encoding="utf-8")
    assert not re.findall(r"^\s*(?:from|import) .*\breader\b", source, re.MULTILINE)
    assert network(torch.zeros(3, 1, 28, 28)).shape == (3, 10)


def test_distortion_keeps_ink():
    torch.manual_seed(0)
    images = torch.zeros(100, 1, 28, 28)
    images[..., 12:16, 12:16] = 1
    distorted = distort(images)
    assert distorted.shape == images.shape
    assert 0 <= distorted.min() <= distorted.max() <= 1
    assert len(distorted.unique(dim=0)) == 100
    assert distorted[..., 8:20, 8:20].sum() == pytest.approx(distorted.sum().item(), rel=0.02)
