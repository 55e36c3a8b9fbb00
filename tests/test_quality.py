"""Quality certificates: thresholds, contents, and failure of a damaged model."""

import hashlib
import json
import math
import shutil
from contextlib import contextmanager
from dataclasses import replace

import onnx
import pytest
from click.testing import CliRunner
from conftest import MODELS, ROOT

import mnistgen
from export import weights
from export.artifacts import manifest_bytes, write_artifacts
from export.quality import certificate, evaluate
from export.quality import command as quality
from export.quality.evaluate import Sizes
from export.quality.likelihood import likelihood
from export.quality.thresholds import THRESHOLDS, Threshold, thresholds_of
from mnistgen.manifest import Manifest
from training import data

SMALL = Sizes(images=400, cas_images=100)


@pytest.mark.parametrize(
    ("threshold", "value", "met"),
    [
        (Threshold("x", 0.9), 0.9, True),
        (Threshold("x", 0.9), 0.89, False),
        (Threshold("x", 0.9, at_most=True), 0.9, True),
        (Threshold("x", 0.9, at_most=True), 0.91, False),
        (Threshold("x", 2.5, at_most=True, times="real_data_baseline"), 0.5, True),
        (Threshold("x", 2.5, at_most=True, times="real_data_baseline"), 0.51, False),
        (Threshold("x", 0.9), math.nan, False),
        (Threshold("x", 0.9, at_most=True), math.nan, False),
    ],
)
def test_threshold(threshold, value, met):
    assert threshold.is_met({"x": value}, {"real_data_baseline": {"x": 0.2}}) is met


def test_missed_threshold_names_value_and_bound():
    threshold = Threshold("recall", 2.5, at_most=True, times="real_data_baseline")
    message = threshold.describe_miss({"recall": 0.7}, {"real_data_baseline": {"recall": 0.2}})
    assert message == "recall is 0.7; expected at most 0.5 (2.5 × real data baseline)"


def test_summary_has_mean_and_spread():
    summary = certificate.summarize([{"x": 1.0}, {"x": 2.0}, {"x": 6.0}])
    assert summary == {"x": {"mean": 3.0, "spread": 5.0}}


@pytest.mark.parametrize("name", MODELS)
def test_shipped_models_meet_all_thresholds(name):
    facts = Manifest(ROOT / "artifacts").model(name).quality
    assert (facts["images"], facts["cas_images"], facts["sampling_seeds"]) == (10_000, 60_000, [0, 1, 2])
    assert facts["evaluator"]["test_accuracy"] >= 0.995
    assert set(facts["thresholds"]) == {threshold.metric for threshold in thresholds_of(name)}
    for metric, bound in facts["thresholds"].items():
        value = facts["metrics"][metric]["mean"]
        assert value <= bound["at_most"] if "at_most" in bound else value >= bound["at_least"], metric
    assert facts["missed_thresholds"] == []


def test_int8_quality_equals_float32():
    manifest = Manifest(ROOT / "artifacts")
    float32, int8 = (manifest.model(name).quality["metrics"] for name in ("cgan", "cgan-int8"))
    for threshold in THRESHOLDS["cgan"]:
        a, b = float32[threshold.metric], int8[threshold.metric]
        noise = max(a["spread"], b["spread"], 0.001)  # between sampling seeds, three of which can agree by chance
        assert abs(a["mean"] - b["mean"]) <= 2 * noise, threshold.metric


def test_shipped_references_are_up_to_date():
    conditions = json.loads((ROOT / "artifacts" / "references.json").read_bytes())["conditions"]
    facts = Manifest(ROOT / "artifacts").model("cgan").quality
    evaluator = (ROOT / "artifacts" / "weights" / "evaluator.safetensors").read_bytes()
    assert facts["evaluator"]["sha256"] == hashlib.sha256(evaluator).hexdigest()
    assert conditions == {
        "version": evaluate.VERSION,
        "evaluator": facts["evaluator"],
        "images": Sizes().images,
        "cas_images": Sizes().cas_images,
    }


def test_likelihood_agrees_with_certificate(mnist):
    found = weights.read("vae", ROOT / "artifacts" / "weights" / "vae.safetensors")
    measured = likelihood(found, data.load(mnist, "test").images[::10], seed=0)
    certified = Manifest(ROOT / "artifacts").model("vae").quality["metrics"]
    assert len(measured) == 3
    for name, value in measured.items():
        assert value == pytest.approx(certified[name]["mean"], rel=0.03), name


@contextmanager
def shipped_model(name, weights, threads=None):
    """Replace the export of the seed recipe's model."""
    yield mnistgen.load(name, device="cpu")


@pytest.fixture
def small(mnist, tmp_path, monkeypatch):
    """Copy the artifacts, and shrink MNIST and all measurements."""
    folder = tmp_path / "artifacts"
    shutil.copytree(ROOT / "artifacts", folder, ignore=shutil.ignore_patterns("*.png", "references.json"))
    digits = {split: data.load(mnist, split).first(n) for split, n in (("train", 2000), ("test", 400))}
    monkeypatch.setattr(data, "load", lambda folder, split: digits[split])
    monkeypatch.setattr(quality, "SEEDS", (0,))
    monkeypatch.setattr(quality, "temporary_generator", shipped_model)
    monkeypatch.setattr(evaluate, "INTERPOLATIONS", 2)
    monkeypatch.setattr(evaluate, "STROKE_IMAGES", 20)
    return folder


def test_damaged_model_misses_thresholds(small, mnist):
    usual = {message.split(" is ")[0] for message in quality.certify(["cgan"], small, mnist, SMALL)}
    before = (small / "references.json").read_bytes()

    network = onnx.load(small / "cgan.onnx")
    for tensor in network.graph.initializer:
        if len(tensor.dims) == 4:  # weights of a convolution
            tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor) / 2, tensor.name))
    content = network.SerializeToString()
    models = Manifest(small).models
    models["cgan"] = replace(models["cgan"], sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
    write_artifacts({small / "cgan.onnx": content, small / "manifest.json": manifest_bytes(models)})

    messages = quality.certify(["cgan"], small, mnist, SMALL)
    missed = {message.split(" is ")[0] for message in messages}
    assert usual < missed
    assert "cgan: frechet_distance" in missed - usual
    assert [f"cgan: {message}" for message in Manifest(small).model("cgan").quality["missed_thresholds"]] == messages
    assert (small / "references.json").read_bytes() == before  # not measured again
    shipped = json.loads((ROOT / "artifacts" / "references.json").read_bytes())["figures"]
    measured = json.loads(before)["figures"]
    assert {name: list(metrics) for name, metrics in measured.items()} == {
        name: list(metrics) for name, metrics in shipped.items()
    }


def test_missed_thresholds_exit_code(monkeypatch):
    missed = ["gan: recall is 0.1", "gan: label_entropy is 0"]
    monkeypatch.setattr(quality, "certify", lambda names, artifacts, mnist: missed)
    done = CliRunner().invoke(quality.main, ["--all"])
    assert (done.exit_code, done.output.count("\n")) == (1, 1)
    assert all(message in done.output for message in missed)


def test_command_needs_a_choice_of_models(tmp_path):
    assert CliRunner().invoke(quality.main, []).exit_code == 2
    assert CliRunner().invoke(quality.main, ["--all", "--model", "gan"]).exit_code == 2


def test_missing_model_is_named(tmp_path):
    done = CliRunner().invoke(quality.main, ["--all", "--artifacts", str(tmp_path)])
    assert done.exit_code == 1
    assert "no model vae" in done.output
