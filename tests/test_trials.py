"""Comparing trainings and export settings on validation digits."""

import pytest
import torch
from click.testing import CliRunner
from conftest import ROOT

from export import weights
from export.errors import ExportError
from export.graphs.models import GRAPHS
from export.quality import evaluate, trials
from training import data


def build(model, folder="weights"):
    """Return the weights of the model and its graph."""
    found = weights.read(model, ROOT / "artifacts" / folder / f"{model}.safetensors")
    return found, GRAPHS[model].build(found)


@pytest.fixture
def run(monkeypatch):
    """Runs the command without measuring; a trial's Fréchet distance is the product of its settings."""

    def measure(model, found, values, reference, seeds):
        distance = torch.tensor(list(values.values())).prod().item()
        return {**dict.fromkeys(trials.COLUMNS[model], 0.0), "frechet_distance": distance}

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(trials, "_reference", lambda mnist, cas, spread: None)
    monkeypatch.setattr(trials, "_measure", measure)
    return lambda *options: CliRunner().invoke(trials.main, options)


def test_every_combination_has_a_row(run):
    done = run("--model", "gan", "--set", "temperature=2,3", "--set", "style_scale=5,7")
    header, _, *rows = (line.split(" | ") for line in done.stdout.splitlines())
    assert header[1:4] == ["temperature", "style_scale", "frechet_distance"]
    assert [row[1:4] for row in rows] == [["2", "5", "10"], ["2", "7", "14"], ["3", "5", "15"], ["3", "7", "21"]]


def test_every_file_has_a_row(run):
    files = ["artifacts/weights/seed/cgan.safetensors", "artifacts/weights/cgan.safetensors"]
    done = run("--model", "cgan", *files)
    assert [line.split(" | ")[0] for line in done.stdout.splitlines()[2:]] == [f"| {file}" for file in files]
    assert "cas" not in done.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--model", "gan", "--set", "speed=1"), "expected one of temperature, style_scale"),
        (("--model", "gan", "--set", "temperature"), "expected NAME=VALUE,VALUE"),
        (("--model", "gan", "--set", "temperature=0"), "expected NAME=VALUE,VALUE"),
        (("--model", "gan", "--set", "temperature=1,nan"), "expected NAME=VALUE,VALUE"),
        (("--model", "gan", "artifacts/weights/vae.safetensors"), "holds weights of the 'vae'"),
    ],
)
def test_invalid_trials(run, options, words):
    done = run(*options)
    assert done.exit_code != 0
    assert words in done.output
    assert not done.stdout


@torch.inference_mode()
def test_latent_scale_is_a_factor_of_the_latents():
    _, module = build("cgan")
    z, label = torch.randn(2, 128), torch.eye(10)[:2]
    expected = module(1.5 * z, label)
    trials.SETTINGS["cgan"]["latent_scale"](module, 1.5)
    assert torch.allclose(module(z, label), expected, atol=1e-5)


@torch.inference_mode()
def test_label_contrast_scales_the_difference_from_the_mean():
    _, module = build("cgan")
    z, label = torch.randn(2, 128), torch.eye(10)[:2]
    expected = module(z, 0.1 + 1.5 * (label - 0.1))
    trials.SETTINGS["cgan"]["label_contrast"](module, 1.5)
    assert torch.allclose(module(z, label), expected, atol=1e-5)


@torch.inference_mode()
def test_temperature_divides_the_logits():
    _, module = build("vae")
    z = torch.randn(2, 2)
    expected = torch.sigmoid(torch.logit(module(z).double()) / 2)
    trials.SETTINGS["vae"]["temperature"](module, 2)
    assert torch.allclose(module(z).double(), expected, atol=1e-4)


def test_clusters_need_a_tuned_training():
    _, module = build("gan", "weights/seed")
    with pytest.raises(ExportError, match="no clusters"):
        trials.SETTINGS["gan"]["temperature"](module, 0.1)


@pytest.fixture
def digits(mnist, monkeypatch):
    """The first 6,000 training digits, of which trials compare with 200."""
    few = data.load(mnist, "train").first(6000)
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(trials, "VALIDATION_IMAGES", 200)
    monkeypatch.setattr(data, "load", lambda folder, split: few)
    return few


def test_reference_is_the_end_or_spread(digits, mnist):
    last, spread = (trials._reference(mnist, cas=False, spread=spread) for spread in (False, True))
    assert torch.equal(last.test.images, digits.images[-200:])
    assert torch.equal(spread.test.images[::2], digits.images[::60])
    assert torch.equal(spread.test.images[1::2], digits.images[1::60])
    assert [len(each.train) for each in (last, spread)] == [5800, 5800]
    assert last.sizes == evaluate.Sizes(200, 0)


def test_trial_measures_the_adjusted_model(digits, mnist, monkeypatch):
    monkeypatch.setattr(evaluate, "INTERPOLATIONS", 2)
    reference = trials._reference(mnist, cas=False, spread=False)
    found, _ = build("cgan")
    wide = trials._measure("cgan", found, {"latent_scale": 1.5}, reference, seeds=1)
    assert 0.5 < wide["accuracy"] < 0.98  # it is above 0.99 without the factor
    assert "cas" not in wide
