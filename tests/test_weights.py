"""Weights files with facts of other types, or too large, are refused in one sentence."""

import json

import pytest
import torch
from conftest import ROOT
from safetensors.torch import save_file

from export import weights
from export.errors import ExportError

VAE = ROOT / "artifacts" / "weights" / "vae.safetensors"


@pytest.mark.parametrize(
    ("fact", "value"),
    [
        ("model", 5),
        ("recipe", None),
        ("recipe", "x" * 10_000),
        ("epochs", "30"),
        ("epochs", -1),
        ("epochs", True),
        ("training_data", []),
        ("git_revision", {}),
        ("final_metrics", []),
        ("final_metrics", {"deep": json.loads("[" * 50 + "]" * 50)}),
    ],
)
def test_weights_with_wrong_facts_are_rejected(tmp_path, fact, value):
    given = weights.read("vae", VAE).facts
    path = tmp_path / "vae.safetensors"
    save_file({"decoder.0.weight": torch.zeros(1)}, path, {"mnistgen": json.dumps(given | {fact: value})})
    with pytest.raises(ExportError, match="damaged, or not a weights file"):
        weights.read("vae", path)


def test_weights_with_nested_facts_are_rejected(tmp_path):
    path = tmp_path / "vae.safetensors"
    save_file({"decoder.0.weight": torch.zeros(1)}, path, {"mnistgen": "[" * 100_000 + "]" * 100_000})
    with pytest.raises(ExportError, match="damaged, or not a weights file"):
        weights.read("vae", path)


def test_huge_weights_are_not_read(tmp_path):
    path = tmp_path / "vae.safetensors"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ExportError, match="damaged, or not a weights file"):
        weights.read("vae", path)
