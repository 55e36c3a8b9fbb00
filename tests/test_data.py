"""MNIST: download, verification and batches."""

import functools
import http.server
import shutil
import threading

import pytest
import tiny_training
import torch
from click.testing import CliRunner

from training import data, vae
from training.errors import TrainingError


@pytest.fixture
def use_mirror(monkeypatch):
    """Sets the address that MNIST is downloaded from."""
    from training.vision import MNIST

    def use(address):
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setattr(MNIST, "mirrors", [address])

    return use


def test_failed_download_names_the_options(tmp_path, use_mirror):
    use_mirror("http://127.0.0.1:9/")
    done = CliRunner().invoke(vae.main, ["--data", str(tmp_path / "none"), "--out", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert str(tmp_path / "none" / "MNIST" / "raw") in done.output
    assert "--data" in done.output


def test_missing_mnist_is_downloaded(mnist, tmp_path, use_mirror):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = functools.partial(Quiet, directory=mnist / "MNIST" / "raw")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        use_mirror(f"http://127.0.0.1:{server.server_port}/")
        assert len(data.load(tmp_path, "test")) == 10_000
        server.shutdown()


def test_load_returns_both_splits(mnist):
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
    with pytest.raises(TrainingError, match="differs from the published MNIST"):
        data.load(tmp_path / "data", "test")
    images.write_bytes(content[:5000])
    with pytest.raises(TrainingError, match="missing or damaged"):
        data.load(tmp_path / "data", "test")


@pytest.mark.parametrize(
    "header",
    [
        b"\0\0\x07\x03",
        b"\0\0\x0a\x03",
        b"\0\0\x08\x00",
        b"\0\0\x08\xff",
        b"\0\0\x0d\x03",
        b"",
        b"\0\0\x08\x01\xff\xff\xff\xff",
    ],
)
def test_foreign_idx_header_is_refused(mnist, tmp_path, header):
    shutil.copytree(mnist, tmp_path / "data")
    data.load(tmp_path / "data", "test")
    images = tmp_path / "data" / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    images.write_bytes(header + images.read_bytes()[len(header) :] if header else b"")
    with pytest.raises(TrainingError, match=r"missing or damaged|differs from the published"):
        data.load(tmp_path / "data", "test")


def test_batches_contain_each_image_once():
    digits = data.Digits(torch.arange(32, dtype=torch.uint8).view(32, 1, 1, 1), torch.arange(32))
    for size in (8, 30):
        batches = list(digits.batches(size))
        assert torch.cat([labels for _, labels in batches]).sort().values.tolist() == list(range(32))
        images = torch.cat([images for images, _ in batches])
        assert (images.flatten() * 255).round().long().sort().values.tolist() == list(range(32))


def test_last_batch_of_one_is_skipped():
    digits = tiny_training.digits().first(17)
    batches = list(digits.batches(8))
    assert [len(images) for images, _ in batches] == [8, 8]
    assert digits.epoch_size(8) == 16
    assert batches[0][0].max() == 1
