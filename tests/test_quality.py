"""Certificates: what they hold, and that a damaged model gets none."""

import json
import math
import shutil

import pytest
import torch
from click.testing import CliRunner
from conftest import MODELS, ROOT
from safetensors.torch import load_file, save_file

from export import weights
from export.artifacts import manifest_bytes, press, publish
from export.graphs.models import original
from export.quality import certificate
from export.quality import command as quality
from export.quality.evaluate import Sizes
from export.quality.thresholds import GATES, Gate
from mnistgen.manifest import Manifest

SMALL = Sizes(images=2000, taught=100)


@pytest.mark.parametrize(
    ("gate", "value", "passes"),
    [
        (Gate("x", 0.9), 0.9, True),
        (Gate("x", 0.9), 0.89, False),
        (Gate("x", 0.9, at_most=True), 0.9, True),
        (Gate("x", 0.9, at_most=True), 0.91, False),
        (Gate("x", 2.5, at_most=True, times="floor"), 0.5, True),
        (Gate("x", 2.5, at_most=True, times="floor"), 0.51, False),
        (Gate("x", 0.9), math.nan, False),
        (Gate("x", 0.9, at_most=True), math.nan, False),
    ],
)
def test_a_gate_lets_pass_what_keeps_its_bound(gate, value, passes):
    assert gate.passes({"x": value}, {"floor": {"x": 0.2}}) is passes


def test_a_missed_gate_says_by_what():
    gate = Gate("recall", 2.5, at_most=True, times="floor")
    words = gate.words({"recall": 0.7}, {"floor": {"recall": 0.2}})
    assert words == "recall is 0.7, and must be at most 0.5 (2.5 × floor)"


def test_a_summary_gives_mean_and_spread_over_the_seeds():
    summary = certificate.summarised([{"x": 1.0}, {"x": 2.0}, {"x": 6.0}])
    assert summary == {"x": {"mean": 3.0, "spread": 5.0}}


@pytest.mark.parametrize("name", MODELS)
def test_what_ships_has_a_certificate_and_misses_no_mark(name):
    facts = Manifest(ROOT / "artifacts").model(name).quality
    assert (facts["images"], facts["taught_images"], facts["sampling_seeds"]) == (10_000, 60_000, [0, 1, 2])
    assert facts["reader"]["test_accuracy"] >= 0.995
    assert set(facts["gates"]) == {gate.metric for gate in GATES[original(name)]}
    for metric, bound in facts["gates"].items():
        value = facts["metrics"][metric]["mean"]
        assert value <= bound["at_most"] if "at_most" in bound else value >= bound["at_least"], metric
    assert facts["missed"] == []


def test_the_eight_bit_form_is_worth_what_the_original_is():
    manifest = Manifest(ROOT / "artifacts")
    original, reduced = (manifest.model(name).quality["metrics"] for name in ("cgan", "cgan-int8"))
    for gate in GATES["cgan"]:
        one, other = original[gate.metric], reduced[gate.metric]
        noise = max(one["spread"], other["spread"])  # of the sampling seeds
        assert abs(one["mean"] - other["mean"]) <= 2 * noise, gate.metric


@pytest.fixture(scope="module")
def small(mnist, tmp_path_factory):
    """A copy of the artifacts whose references were measured with few images of one seed."""
    folder = tmp_path_factory.mktemp("small") / "artifacts"
    shutil.copytree(ROOT / "artifacts", folder, ignore=shutil.ignore_patterns("*.png", "references.json"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quality, "SEEDS", (0,))
        yield folder


def test_weights_with_noise_miss_marks_that_they_reached_without(small, mnist):
    usual = {failure.split(" is ")[0] for failure in quality.certify(["cgan"], small, mnist, SMALL)}
    before = (small / "references.json").read_bytes()

    path = small / "weights" / "cgan.safetensors"
    facts, tensors = weights.read("cgan", path).facts, load_file(path)
    noise = torch.Generator().manual_seed(0)
    for name, tensor in tensors.items():
        if name.endswith("weight") and tensor.ndim == 4:
            tensor += 0.5 * tensor.std() * torch.randn(tensor.shape, generator=noise)
    save_file(tensors, path, {"mnistgen": json.dumps(facts)})
    content, model = press("cgan", weights.read("cgan", path))
    models = {**Manifest(small).models, "cgan": model}
    publish({small / "cgan.onnx": content, small / "manifest.json": manifest_bytes(models)})

    failures = quality.certify(["cgan"], small, mnist, SMALL)
    missed = {failure.split(" is ")[0] for failure in failures}
    assert usual < missed
    assert "cgan: frechet_distance" in missed - usual
    certified = Manifest(small).model("cgan").quality
    assert [f"cgan: {words}" for words in certified["missed"]] == failures
    assert (small / "references.json").read_bytes() == before  # used again, not measured again


def test_a_missed_mark_ends_in_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(quality, "certify", lambda names, artifacts, mnist: ["gan: recall is 0.1", "gan: entropy is 0"])
    done = CliRunner().invoke(quality.main, ["--all"])
    assert done.exit_code == 1
    assert done.output == "Error: Marks were missed: gan: recall is 0.1; gan: entropy is 0.\n"


def test_it_must_be_said_what_to_certify(tmp_path):
    assert CliRunner().invoke(quality.main, []).exit_code == 2
    done = CliRunner().invoke(quality.main, ["--all", "--artifacts", str(tmp_path)])
    assert done.exit_code == 1
    assert "holds no vae: export it first" in done.output
