"""Training steps, recipes and what a training writes."""

import json
import os
import re
import shlex
import subprocess
import sys

import pytest
import tiny_training
import torch
from click.testing import CliRunner
from conftest import ROOT, TRAINED
from doc_commands import check_call
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file
from tiny_training import MODULES, interrupt_at, weights
from torch.nn import functional
from torch.nn.utils import parameters_to_vector

from training import data, gan, hints, r3gan, trainer, vae

METRICS = {
    ("vae", "seed"): {"loss", "reconstruction", "kl"},
    ("vae", "tuned"): {"loss", "reconstruction", "kl", "feature_loss"},
    **{(model, "seed"): {"g_loss", "d_loss", "d_real_accuracy", "d_fake_accuracy"} for model in ("gan", "cgan")},
    **{(model, "tuned"): {"g_loss", "d_loss", "r1_r2_penalty", "relativistic_accuracy"} for model in ("gan", "cgan")},
}
BOTH_GANS = ("gan", "cgan")


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    tiny_training.shrink(monkeypatch)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Trains a model for three epochs, once per session and recipe; returns the folder, which tests do not change."""
    folders = {}

    def train(model, recipe):
        if (model, recipe) not in folders:
            out = folders[model, recipe] = tmp_path_factory.mktemp(f"{model}-{recipe}")
            assert tiny_training.train(model, "--epochs", "3", "--seed", "3", "--recipe", recipe, out=out)[0] == 0
        return folders[model, recipe]

    return train


@pytest.mark.parametrize("recipe", ["seed", "tuned"])
@pytest.mark.parametrize("model", TRAINED)
def test_training_writes_metrics_images_weights(finished, model, recipe):
    out = finished(model, recipe)
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert all(METRICS[model, recipe] | {"epoch", "seconds"} == set(line) for line in lines)
    grids = {"samples", "reconstructions"} if model == "vae" else {"samples"}
    assert {file.name for file in out.glob("*.png")} == {f"{name}-{n:03d}.png" for name in grids for n in (1, 2, 3)}
    with Image.open(out / "samples-003.png") as image:
        assert image.size == (302, 32)
    assert not list(out.glob(".*"))


@pytest.mark.parametrize("recipe", ["seed", "tuned"])
@pytest.mark.parametrize("model", TRAINED)
def test_weights_file_describes_the_training(finished, model, recipe):
    with safe_open(finished(model, recipe) / "weights.safetensors", "pt") as file:
        facts = json.loads(file.metadata()["mnistgen"])
        networks = {key.split(".")[0] for key in file.keys()}  # noqa: SIM118
    expected = {"encoder", "decoder"} if model == "vae" else {"generator"}
    only_tuned = {"prior"} if model != "cgan" else set()
    assert networks == expected | (only_tuned if recipe == "tuned" else set())
    option = " --recipe tuned" if recipe == "tuned" else ""
    assert facts["command"] == f"python -m training.{model}{option} --epochs 3 --batch-size 4 --seed 3"
    assert facts["final_metrics"]["epoch"] == facts["epochs"] == 3
    assert facts["recipe"] == "custom"  # the recipes have other numbers of epochs


@pytest.mark.parametrize("model", TRAINED)
def test_lesson_is_a_shorter_tuned_training(model):
    lesson, tuned = (tiny_training.new_trainer(model, recipe) for recipe in ("lesson", "tuned"))
    assert lesson.config.recipe == "lesson"
    assert lesson.config.epochs < tuned.config.epochs
    assert not lesson.config.is_custom
    shapes = [{name: value.shape for name, value in each.exported_weights().items()} for each in (lesson, tuned)]
    assert shapes[0] == shapes[1]


def test_kl_weight_rises_during_the_warmup():
    trainer = tiny_training.new_trainer("vae", "lesson", kl_weight=0.5, kl_warmup=0.5)
    weights = []
    for trainer.progress in (0, 0.25, 0.5, 0.99):
        weights.append(trainer.kl_weight())
    assert weights == pytest.approx([0.025, 0.275, 0.5, 0.5])
    assert tiny_training.new_trainer("vae", "tuned", kl_weight=0.5).kl_weight() == 0.5


@pytest.mark.parametrize("model", TRAINED)
def test_end_names_commands_that_export_and_draw(tmp_path, model):
    out = tmp_path / "my lesson" / model
    code, output = tiny_training.train(model, "--recipe", "lesson", "--epochs", "1", out=out)
    assert code == 0
    export, draw = (shlex.split(line) for line in output.splitlines()[-2:])
    folder = tmp_path / "my lesson"
    options = ["--model", model, "--checkpoints", str(folder), "--artifacts", str(folder / "onnx")]
    assert export == ["python", "-m", "export.onnx", *options]
    assert draw[:3] == ["mnistgen-run", "--artifacts", str(folder / "onnx")]
    assert ("--digit" in draw) == (model == "cgan")
    check_call(*export)
    check_call(*draw)


def test_commands_are_omitted_if_they_would_fail(tmp_path):
    _, output = tiny_training.train("vae", "--epochs", "1", "--limit", "8", out=tmp_path / "try")
    assert "move them to a folder vae/" in output
    assert "mnistgen-run" not in output


def test_commands_never_write_into_artifacts():
    assert "mnistgen-run" not in hints.how_to_export("vae", ROOT / "artifacts" / "vae")
    assert "mnistgen-run" in hints.how_to_export("vae", ROOT / "checkpoints" / "vae")


def test_pictures_show_white_ink_on_black(finished):
    with Image.open(finished("vae", "seed") / "reconstructions-001.png") as image:
        corner, ink = image.getpixel((2, 2)), image.getpixel((2 + 6, 2 + 4))  # of the first test image, below a margin
    assert (corner, ink) == ((0, 0, 0), (255, 255, 255))


@pytest.mark.parametrize("recipe", ["seed", "tuned"])
@pytest.mark.parametrize(("model", "loss"), [("vae", "loss"), ("gan", "d_loss"), ("cgan", "d_loss")])
def test_steps_lower_the_loss(model, loss, recipe):
    training = tiny_training.new_trainer(model, recipe)
    steps = [training.step(*tiny_training.batch()) for _ in range(10)]
    assert steps[-1][loss].item() < 0.95 * steps[0][loss].item()
    if model == "vae":
        elbo = steps[-1]["reconstruction"].item() + steps[-1]["kl"].item()
        assert steps[-1]["loss"].item() == pytest.approx(elbo, rel=1e-4)


@pytest.mark.parametrize("model", BOTH_GANS)
def test_each_loss_updates_one_network(model):
    training = tiny_training.new_trainer(model)
    before = {name: parameters_to_vector(network.parameters()) for name, network in training.networks.items()}
    training.optimizers["discriminator"].step = lambda: None
    training.step(*tiny_training.batch())
    changed = {
        name: bool((parameters_to_vector(network.parameters()) != before[name]).any())
        for name, network in training.networks.items()
    }
    assert changed == {"generator": True, "discriminator": False}


@pytest.mark.parametrize("model", TRAINED)
def test_seed_determines_weights(tmp_path, model):
    for out, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        tiny_training.train(model, "--epochs", "1", "--limit", "8", "--seed", seed, out=tmp_path / out)
    a, b, c = (load_file(tmp_path / out / "weights.safetensors") for out in "abc")
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert any(not torch.equal(a[key], c[key]) for key in a)


@pytest.mark.parametrize("model", TRAINED)
def test_resume_per_epoch_gives_equal_weights(finished, tmp_path, model):
    tiny_training.train(model, "--epochs", "1", "--seed", "3", out=tmp_path)
    tiny_training.train(model, "--epochs", "2", "--resume", out=tmp_path)
    tiny_training.train(model, "--epochs", "3", "--resume", out=tmp_path)
    assert weights(tmp_path) == weights(finished(model, "seed"))


@pytest.mark.parametrize("model", TRAINED)
def test_interrupted_tuned_training_resumes_equal(finished, monkeypatch, tmp_path, model):
    whole = weights(finished(model, "tuned"))
    interrupt_at(monkeypatch, MODULES[model].TunedTrainer, 7)  # in the second epoch
    options = ["--recipe", "tuned", "--epochs", "3", "--seed", "3"]
    assert tiny_training.train(model, *options, out=tmp_path)[0] == 130
    assert tiny_training.train(model, "--resume", out=tmp_path)[0] == 0
    assert weights(tmp_path) == whole


@pytest.mark.parametrize("model", BOTH_GANS)
def test_ema_follows_and_is_exported(model):
    training = tiny_training.new_trainer(model, "tuned", ema_decay=0.5)
    before = parameters_to_vector(training.ema["generator"].parameters())
    training.step(*tiny_training.batch())
    network = parameters_to_vector(training.networks["generator"].parameters()).detach()
    ema = parameters_to_vector(training.ema["generator"].parameters())
    assert not torch.equal(network, before)
    torch.testing.assert_close(ema, (before + network) / 2)
    exported = training.exported_weights()["generator.layers.0.weight"]
    assert torch.equal(exported, training.exported("generator").layers[0].weight)


@torch.inference_mode()
def test_exported_cgan_scales_its_inputs():
    training = tiny_training.new_trainer("cgan", "tuned", latent_scale=1.5, label_contrast=2)
    z, label = torch.randn(3, 128), torch.eye(10)[:3]
    expected = training.ema["generator"](1.5 * z, 0.1 + 2 * (label - 0.1))
    torch.testing.assert_close(training.exported("generator")(z, label), expected)
    assert not torch.equal(training.ema["generator"](z, label), expected)


def test_gan_ema_has_own_batch_norm_statistics(monkeypatch):
    monkeypatch.setattr(gan, "STATISTICS_LATENTS", 500)
    training = tiny_training.new_trainer("gan", "tuned")
    training.step(*tiny_training.batch())
    training.end_epoch(tiny_training.digits())
    ema = training.exported("generator")
    inputs = []
    ema.layers[5].register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0]))  # the second batch norm
    ema(training.networks["prior"](torch.randn(250, 100)))
    torch.testing.assert_close(ema.layers[5].running_mean, inputs[0].mean((0, 2, 3)), atol=0.02, rtol=0.1)
    assert not ema.training


def test_prior_samples_are_normal_and_labeled():
    torch.manual_seed(0)
    prior = gan.Prior()
    frequency = (torch.randn(500_000, 10) + prior.leanings).argmax(1).bincount() / 500_000  # (10,)
    labels = frequency.multinomial(100_000, replacement=True)  # (100000,)
    z = prior.sample(functional.one_hot(labels, 10).float())  # (100000, 100)
    assert ((z[:, :10] + prior.leanings).argmax(1) == labels).all()
    assert z.mean(0).abs().max() < 0.02
    torch.testing.assert_close(z.T.cov(), torch.eye(100), atol=0.03, rtol=0)


def test_prior_has_label_frequencies_of_mnist(mnist, monkeypatch):
    monkeypatch.undo()
    labels = data.load(mnist, "train").labels
    z = torch.randn(500_000, 10, generator=torch.Generator().manual_seed(0))
    clusters = (z + gan.Prior().leanings).argmax(1)
    torch.testing.assert_close(clusters.bincount() / len(clusters), labels.bincount() / len(labels), atol=0.002, rtol=0)


def test_tuned_learning_rates_decay_to_zero():
    training = tiny_training.new_trainer("cgan", "tuned", learning_rate=2e-4, discriminator_learning_rate=4e-4)
    rates = []
    for progress in (0, 0.5, 0.75, 1):
        training.progress = progress
        training.step(*tiny_training.batch(2))
        rates.append([optimizer.param_groups[0]["lr"] for optimizer in training.optimizers.values()])
    assert rates == [pytest.approx([2e-4 * factor, 4e-4 * factor]) for factor in (1, 1, 0.5, 0)]


def test_matching_aware_loss_in_last_epochs_only():
    images, labels = tiny_training.batch(8)

    def preference(progress, weight):
        """Return how much the trained discriminator prefers right labels over wrong ones."""
        training = tiny_training.new_trainer("cgan", "tuned", matching_aware_weight=weight)
        training.progress = progress
        for _ in range(4):
            training.step(images, labels)
        discriminator, label = training.networks["discriminator"], functional.one_hot(labels, 10).float()
        features = discriminator.features(images * 2 - 1)
        wrong = discriminator.logits(features, r3gan.wrong_label(label))
        return (discriminator.logits(features, label) - wrong).mean().item()

    assert preference(0.5, 9.0) == preference(0.5, 0.0)
    assert preference(0.8, 9.0) > preference(0.8, 0.0)


def test_wrong_label_is_any_other_label():
    label = functional.one_hot(torch.arange(10).repeat_interleave(300), 10).float()
    wrong = r3gan.wrong_label(label)
    assert (wrong.sum(1) == 1).all()
    pairs = torch.stack([label.argmax(1), wrong.argmax(1)], 1).unique(dim=0)
    assert len(pairs) == 90
    assert (pairs[:, 0] != pairs[:, 1]).all()


def test_gradient_penalty_is_squared_gradient_norm():
    images = torch.randn(3, 1, 28, 28, requires_grad=True)
    logits = 2 * images.flatten(1).sum(1, keepdim=True)  # (3, 1), with a slope of 2 in each of 784 directions
    assert r3gan.gradient_penalty(logits, images).item() == pytest.approx(784 * 4)


def test_lazy_penalty_is_unbiased():
    images = torch.randn(3, 1, 28, 28, requires_grad=True)
    logits = 2 * images.flatten(1).sum(1, keepdim=True)
    training = tiny_training.new_trainer("cgan", "tuned", lazy_probability=0.25)
    training.progress = 0.5
    penalties = [training.lazy_gradient_penalty(logits, images).item() for _ in range(400)]
    assert sorted(set(penalties)) == [0, pytest.approx(784 * 4 / 0.25)]
    assert sum(penalties) / 400 == pytest.approx(784 * 4, rel=0.25)


@pytest.mark.parametrize("model", TRAINED)
def test_training_on_mnist(mnist, tmp_path, monkeypatch, model):
    monkeypatch.undo()
    monkeypatch.setattr(gan, "STATISTICS_LATENTS", 50)
    options = ["--data", str(mnist), "--limit", "64", "--epochs", "1", "--batch-size", "32", "--out", str(tmp_path)]
    done = CliRunner().invoke(MODULES[model].main, options)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "weights.safetensors").exists()


def test_bfloat16_follows_the_processor(monkeypatch):
    cpu = torch.device("cpu")
    for capabilities, expected in (({}, False), ({"amx_bf16": True}, True), ({"avx512_bf16": True}, True)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda capabilities=capabilities: capabilities)
        assert trainer.has_bfloat16(cpu) is expected
        assert vae.Trainer(vae.Config()).autocast()._enabled is expected


def test_module_runs_as_a_command():
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "training.vae", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
    assert done.stdout.startswith("Usage: python -m training.vae")


@pytest.mark.parametrize(("package", "extra"), [("training.vae", "train"), ("export.onnx", "export")])
def test_missing_packages_name_the_extra(package, extra):
    command = [sys.executable, "-S", "-m", package, "--help"]  # -S hides all installed packages
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 1
    assert re.search(rf"pip install -c constraints.txt -e '.\[{extra}\]'", done.stderr)
