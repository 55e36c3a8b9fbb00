"""MNIST: downloaded, verified, and cut into batches."""

import functools
import http.server
import shutil
import threading
from pathlib import Path

import pytest
import tiny_training
import torch
from click.testing import CliRunner

from training import data, vae
from training.errors import TrainingError


def test_missing_mnist_that_cannot_be_downloaded_is_told(tmp_path, monkeypatch):
    from training.vision import MNIST

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])
    done = CliRunner().invoke(vae.main, ["--data", str(tmp_path / "none"), "--out", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert "could not be downloaded" in done.output
    assert "name another folder that holds MNIST/raw with --data" in done.output


def test_missing_mnist_is_downloaded(mnist, tmp_path, monkeypatch):
    from training.vision import MNIST

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = functools.partial(Quiet, directory=mnist / "MNIST" / "raw")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
        assert len(data.load(tmp_path, "test")) == 10_000
        server.shutdown()


def test_mnist_is_read_and_verified(mnist):
    for split, size in (("train", 60_000), ("test", 10_000)):
        digits = data.load(mnist, split)
        assert (digits.images.shape, digits.images.dtype) == ((size, 1, 28, 28), torch.uint8)
        assert torch.bincount(digits.labels).min() > 0.08 * size


def test_damaged_mnist_is_refused(mnist, tmp_path):
    shutil.copytree(mnist, tmp_path / "data")
    data.load(tmp_path / "data", "test")
    images = tmp_path / "data" / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    content = bytearray(images.read_bytes())
    content[5000] ^= 255
    images.write_bytes(content)
    with pytest.raises(TrainingError, match="does not hold MNIST's test set as published"):
        data.load(tmp_path / "data", "test")
    images.write_bytes(content[:5000])
    with pytest.raises(TrainingError, match=r"missing or damaged .* delete all others"):
        data.load(tmp_path / "data", "test")


def test_batches_hold_every_digit_once_and_no_batch_of_one():
    digits = tiny_training.drawn(Path(), "train").first(33)
    batches = list(digits.batches(16))
    assert [len(images) for images, _ in batches] == [16, 16]
    assert batches[0][0].max() == 1
    assert sum(len(images) for images, _ in digits.first(32).batches(30)) == 32
