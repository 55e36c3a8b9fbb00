"""Models whose weights are stored as float16: half the size, and within one gray level of the float32 models."""

import hashlib
import json
import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest
from conftest import FLOAT16, ROOT
from onnx import TensorProto, numpy_helper

import mnistgen
from export.artifacts import manifest_bytes, write_artifacts
from export.errors import ExportError
from export.graphs.float16 import FEW, SMALL, store_as_float16
from export.quality import command as quality
from export.quality import evaluate
from mnistgen.inference.session import open_session, run_session
from mnistgen.manifest import Manifest
from training import data

ARTIFACTS = ROOT / "artifacts"


def constants(content):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load_from_string(content).graph.initializer}


def files(name):
    """Return the float32 file and the float16 file of a model."""
    return tuple((ARTIFACTS / f"{each}.onnx").read_bytes() for each in (name.removesuffix("-fp16"), name))


@pytest.mark.parametrize(("name", "n"), [("vae-fp16", 1000), ("gan-fp16", 200), ("cgan-fp16", 200)])
def test_images_are_within_one_level(name, n):
    with mnistgen.load(name, device="cpu") as ours, mnistgen.load(name[:-5], device="cpu") as theirs:
        for seed in (0, 7, 2**64 - 1):
            drawn, expected = (each.generate(n, seed=seed, start=seed // 4).astype(int) for each in (ours, theirs))
            difference = np.abs(drawn - expected)
            assert difference.max() == 1  # the weights differ, so a rounding does somewhere
            assert difference.mean() < 0.03


@pytest.mark.parametrize("name", FLOAT16)
def test_files_are_smaller(name):
    float32, float16 = files(name)
    assert len(float16) < 0.56 * len(float32)


@pytest.mark.parametrize("name", FLOAT16)
def test_large_weights_are_the_rounded_ones(name):
    float32, stored = map(constants, files(name))
    for key, values in float32.items():
        is_narrow = values.ndim == 2 and min(values.shape) < FEW
        if values.dtype == np.float32 and values.size >= SMALL and not is_narrow:
            assert stored[f"{key}.stored"].dtype == np.float16
            np.testing.assert_array_equal(stored.pop(f"{key}.stored"), values.astype(np.float16))
        else:
            np.testing.assert_array_equal(stored.pop(key), values)
    assert not stored


@pytest.mark.parametrize("name", FLOAT16)
def test_all_computing_is_in_float32(name):
    float32, float16 = map(onnx.load_from_string, files(name))
    casts = [node for node in float16.graph.node if node.op_type == "Cast"]
    halves = {tensor.name for tensor in float16.graph.initializer if tensor.data_type == TensorProto.FLOAT16}
    assert {node.input[0] for node in casts} == halves
    assert all(node.attribute[0].i == TensorProto.FLOAT for node in casts)
    others = [node for node in float16.graph.node if node not in casts]
    assert not [name for node in others for name in node.input if name in halves]
    assert others == list(float32.graph.node)  # the same operators with the same names


def test_casts_are_folded_when_the_file_is_opened(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    onnxruntime.InferenceSession(files("cgan-fp16")[1], options, providers=["CPUExecutionProvider"])
    optimized = onnx.load(tmp_path / "optimized.onnx")
    assert "Cast" not in {node.op_type for node in optimized.graph.node}
    assert TensorProto.FLOAT16 not in {tensor.data_type for tensor in optimized.graph.initializer}


def test_equal_files_give_equal_bytes():
    float32, float16 = files("vae-fp16")
    assert store_as_float16(float32) == store_as_float16(float32)
    assert constants(store_as_float16(float32)).keys() == constants(float16).keys()
    assert store_as_float16(float16) == float16  # nothing is left to store as float16


@pytest.mark.parametrize("value", [7e4, -1e9, np.inf, np.nan])
def test_weight_that_float16_cannot_store_is_refused(value):
    model = onnx.load_from_string(files("vae-fp16")[0])
    tensor = next(each for each in model.graph.initializer if each.name == "conv_4.weight")
    values = numpy_helper.to_array(tensor).copy()
    values[3, 2, 1, 0] = value
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    with pytest.raises(ExportError, match=r"conv_4\.weight holds a weight that float16 cannot store"):
        store_as_float16(model.SerializeToString())


def test_largest_weight_of_float16_is_stored():
    model = onnx.load_from_string(files("vae-fp16")[0])
    tensor = next(each for each in model.graph.initializer if each.name == "conv_4.weight")
    tensor.CopyFrom(numpy_helper.from_array(np.full_like(numpy_helper.to_array(tensor), 65504), tensor.name))
    content = store_as_float16(model.SerializeToString())
    assert set(constants(content)["conv_4.weight.stored"].ravel()) == {65504}
    image = run_session(open_session(content, "cpu"), {"z": np.zeros((1, 2), np.float32)})
    assert np.isfinite(image).all()


@pytest.fixture
def small(mnist, tmp_path, monkeypatch):
    """A copy of the artifacts with its baselines, a small MNIST, and few measurements."""
    folder = tmp_path / "artifacts"
    shutil.copytree(ARTIFACTS, folder, ignore=shutil.ignore_patterns("*.png"))
    digits = {split: data.load(mnist, split).first(n) for split, n in (("train", 2000), ("test", 400))}
    monkeypatch.setattr(data, "load", lambda folder, split: digits[split])
    figures = json.loads((folder / "references.json").read_bytes())["figures"]
    monkeypatch.setattr(quality, "_references", lambda *arguments: figures)
    monkeypatch.setattr(quality, "SEEDS", (0,))
    monkeypatch.setattr(evaluate, "INTERPOLATIONS", 2)
    monkeypatch.setattr(evaluate, "STROKE_IMAGES", 20)
    return folder


SIZES = evaluate.Sizes(images=400, cas_images=100)
LEVELS = "levels_from_float32"


def test_certificate_bounds_the_difference(small, mnist):
    quality.certify(["vae-fp16"], small, mnist, SIZES)
    facts = Manifest(small).model("vae-fp16").quality
    assert facts["metrics"][LEVELS] == {"mean": 1.0, "spread": 0.0}
    assert facts["thresholds"][LEVELS] == {"at_most": 1.0}
    assert LEVELS not in " ".join(facts["missed_thresholds"])


def test_another_model_misses_the_bound(small, mnist):
    models = Manifest(small).models
    network = onnx.load(small / "vae-fp16.onnx")
    for tensor in network.graph.initializer:
        if tensor.name == "convtranspose_1.weight.stored":
            values = numpy_helper.to_array(tensor) * np.float16(1.2)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    content = network.SerializeToString()
    models["vae-fp16"] = replace(models["vae-fp16"], sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
    write_artifacts({small / "vae-fp16.onnx": content, small / "manifest.json": manifest_bytes(models)})
    missed = [message for message in quality.certify(["vae-fp16"], small, mnist, SIZES) if LEVELS in message]
    assert len(missed) == 1
    assert missed[0].endswith("expected at most 1")
    assert not Manifest(small).model("vae-fp16").certified


def test_certificate_needs_the_float32_model(tmp_path):
    models = Manifest(ARTIFACTS).models
    write_artifacts({tmp_path / "manifest.json": manifest_bytes({"vae-fp16": models["vae-fp16"]})})
    with pytest.raises(ExportError, match=r"has no model vae\. Export it with python -m export\.onnx --model vae"):
        quality.certify(["vae-fp16"], tmp_path, tmp_path, SIZES)


@pytest.mark.parametrize("name", FLOAT16)
def test_picture_is_replayed(run, call, folder, name):
    options = ("--model", name, "--n", "2", "--seed", "3", "--scale", "1", "--out", "drawn.png")
    assert run(*options, "--device", "cpu")[0] == 0
    code, out, err = call("replay", "drawn.png", "--device", "cpu")
    assert (code, out, err) == (0, "drawn-replay.png  the same pixels  CPUExecutionProvider\n", "")
