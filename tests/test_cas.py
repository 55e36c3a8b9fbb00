"""Classification accuracy score of a dataset."""

import re

import torch
from click.testing import CliRunner

import mnistgen
from export.quality import cas
from mnistgen import dataset
from training import data


def test_score_of_small_dataset(mnist, tmp_path, monkeypatch):
    test = data.load(mnist, "test").first(500)
    monkeypatch.setattr(data, "load", lambda folder, split: test)
    dataset.write(mnistgen.load("cgan-int8", device="cpu"), tmp_path, 360)
    done = CliRunner().invoke(cas.main, [str(tmp_path), "--data", str(mnist)])
    assert done.exit_code == 1  # 300 training images are too few
    score, images = re.search(r"score (.+)% \((\d+) training images\)", done.output).groups()
    assert (0.3 < float(score) / 100 < 0.97, images) == (True, "300")
    assert "expected at least 97%" in done.output


def test_score_depends_on_seed_only():
    images = torch.randint(256, (40, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    digits = data.Digits(images, torch.arange(40) % 10)
    state = torch.get_rng_state()
    scores = [cas.classification_accuracy_score(digits, digits, seed=0, epochs=2) for _ in range(2)]
    assert scores[0] == scores[1]
    assert torch.equal(state, torch.get_rng_state())


def test_folder_without_dataset(tmp_path):
    done = CliRunner().invoke(cas.main, [str(tmp_path)])
    assert done.exit_code == 1
    assert f"mnistgen dataset {tmp_path}" in done.output
