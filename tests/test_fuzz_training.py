"""Damaged files of the training give one clear error: weights, checkpoints, MNIST. See test_fuzz.py."""

import contextlib
import io
import json
import struct

import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_fuzz import mutated

from export import weights
from export.errors import ExportError
from training import checkpoint, data
from training.errors import TrainingError

FACTS = {
    "model": "vae",
    "recipe": "seed",
    "epochs": 1,
    "training_data": "MNIST",
    "git_revision": "0",
    "command": "python",
    "device": "cpu",
    "final_metrics": {"loss": 1.0},
}
WEIGHTS = safetensors.torch.save({"decoder.0.weight": torch.zeros(2, 3)}, {checkpoint.FACTS: json.dumps(FACTS)})


def state() -> bytes:
    """Return a small state.pt."""
    file = io.BytesIO()
    log = {"git_revision": "0", "epochs": [{"epoch": 1, "loss": 1.5}]}
    torch.save({"config": {"model": "vae"}, "networks": {"decoder": torch.zeros(3)}, "log": log}, file)
    return file.getvalue()


def idx(kind: int, *shape: int) -> bytes:
    """Return an IDX file of zeros: type and number of dimensions, sizes, values."""
    size = 1
    for side in shape:
        size *= side
    return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape) + bytes(size)


@given(content=mutated(WEIGHTS) | st.binary(max_size=200))
def test_damaged_weights(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzzed.safetensors"
    path.write_bytes(content)
    with contextlib.suppress(ExportError):
        assert weights.read("vae", path).facts["model"] == "vae"


@given(content=mutated(state()) | st.binary(max_size=200))
def test_damaged_checkpoints(tmp_path_factory, content):
    folder = tmp_path_factory.getbasetemp() / "fuzzed-training"
    folder.mkdir(exist_ok=True)
    (folder / checkpoint.STATE).write_bytes(content)
    with contextlib.suppress(TrainingError):
        checkpoint.read_log(checkpoint.load(folder), folder)


@given(images=mutated(idx(8, 2, 28, 28)), labels=mutated(idx(8, 2)))
def test_damaged_mnist(tmp_path_factory, images, labels):
    raw = tmp_path_factory.getbasetemp() / "fuzzed-mnist" / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for split in ("train", "t10k"):
        (raw / f"{split}-images-idx3-ubyte").write_bytes(images)
        (raw / f"{split}-labels-idx1-ubyte").write_bytes(labels)
    try:
        data.load(raw.parents[1], "test")
    except TrainingError:
        return
    raise AssertionError("files that are not MNIST were accepted")
