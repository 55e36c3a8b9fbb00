"""Trainings: what they leave, and that interrupting them changes nothing."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_training
import torch
from click.testing import CliRunner
from conftest import ROOT, TRAINED
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file
from torch.nn import functional
from torch.nn.utils import parameters_to_vector

from training import benchmark, cgan, cli, data, flow, gan, r3gan, vae

MODULES = {"vae": vae, "gan": gan, "cgan": cgan}
METRICS = {
    ("vae", "seed"): {"loss", "reconstruction", "kl"},
    ("vae", "tuned"): {"loss", "reconstruction", "kl", "feature_error"},
    **{(model, "seed"): {"g_loss", "d_loss", "real_right", "fake_right"} for model in ("gan", "cgan")},
    **{(model, "tuned"): {"g_loss", "d_loss", "penalty", "pairs_right"} for model in ("gan", "cgan")},
}


@pytest.fixture
def train(monkeypatch, tmp_path):
    """Runs a training on drawn digits in this process; returns exit code and output."""
    monkeypatch.setattr(data, "load", tiny_training.drawn)
    monkeypatch.setattr(flow, "STEPS", 2)

    def run(model, *options, out="out"):
        done = CliRunner().invoke(MODULES[model].main, ["--batch-size", "16", "--out", str(tmp_path / out), *options])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.output

    return run


@pytest.mark.parametrize("recipe", ["seed", "tuned"])
@pytest.mark.parametrize("model", TRAINED)
def test_a_training_leaves_metrics_pictures_and_weights(train, tmp_path, model, recipe):
    code, output = train(model, "--epochs", "2", "--seed", "3", "--recipe", recipe)
    assert code == 0
    out = tmp_path / "out"
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert all(METRICS[model, recipe] <= set(line) for line in lines)
    assert "epoch 2/2" in output
    pictures = {"samples", "reconstructions"} if model == "vae" else {"samples"}
    assert {file.name for file in out.glob("*.png")} == {f"{name}-{e:03d}.png" for name in pictures for e in (1, 2)}
    with Image.open(out / "samples-002.png") as image:
        assert image.size == (302, 302)
    with safe_open(out / "weights.safetensors", "pt") as file:
        facts = json.loads(file.metadata()["mnistgen"])
        networks = {key.split(".")[0] for key in file.keys()}  # noqa: SIM118
    expected = {"encoder", "decoder"} if model == "vae" else {"generator"}
    assert networks == expected | (
        {"vae": {"density"}, "gan": {"prior"}}.get(model, set()) if recipe == "tuned" else set()
    )
    option = " --recipe tuned" if recipe == "tuned" else ""
    assert facts["command"] == f"python -m training.{model}{option} --epochs 2 --batch-size 16 --seed 3"
    assert facts["final_metrics"]["epoch"] == facts["epochs"] == 2
    assert facts["recipe"] == "custom"  # so few epochs are not the recipe
    assert not list(out.glob(".*"))


@pytest.mark.parametrize("recipe", ["seed", "tuned"])
@pytest.mark.parametrize(("model", "loss"), [("vae", "loss"), ("gan", "d_loss"), ("cgan", "d_loss")])
def test_steps_on_the_same_digits_lower_the_loss(model, loss, recipe):
    module = MODULES[model]
    training = module.Trainer(module.Config()) if recipe == "seed" else module.TunedTrainer(module.TunedConfig())
    digits = tiny_training.drawn(Path(), "train").first(32)
    steps = [training.step(digits.images.float() / 255, digits.labels) for _ in range(10)]
    assert steps[-1][loss].item() < 0.95 * steps[0][loss].item()
    if model == "vae":
        assert steps[-1]["loss"].item() == pytest.approx(
            steps[-1]["reconstruction"].item() + steps[-1]["kl"].item(), rel=1e-4
        )


@pytest.mark.parametrize("model", ["gan", "cgan"])
def test_a_step_down_a_loss_moves_its_own_network_only(model):
    module = MODULES[model]
    training = module.Trainer(module.Config())
    before = {name: parameters_to_vector(network.parameters()) for name, network in training.networks.items()}
    training.optimizers["discriminator"].step = lambda: None
    digits = tiny_training.drawn(Path(), "train").first(32)
    training.step(digits.images.float() / 255, digits.labels)
    moved = {
        name: (parameters_to_vector(n.parameters()) != before[name]).any() for name, n in training.networks.items()
    }
    assert moved == {"generator": True, "discriminator": False}


@pytest.mark.parametrize("model", TRAINED)
def test_the_same_seed_gives_the_same_weights_and_another_does_not(train, tmp_path, model):
    for out, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        train(model, "--epochs", "1", "--seed", seed, out=out)
    a, b, c = (load_file(tmp_path / out / "weights.safetensors") for out in "abc")
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert any(not torch.equal(a[key], c[key]) for key in a)


@pytest.mark.parametrize("model", TRAINED)
def test_a_training_resumed_epoch_by_epoch_ends_bit_equal(train, tmp_path, model):
    train(model, "--epochs", "3", out="whole")
    train(model, "--epochs", "1", out="parts")
    train(model, "--epochs", "2", "--resume", out="parts")
    train(model, "--epochs", "3", "--resume", out="parts")
    whole, parts = (tmp_path / out / "weights.safetensors" for out in ("whole", "parts"))
    assert whole.read_bytes() == parts.read_bytes()


@pytest.mark.parametrize("model", TRAINED)
def test_an_interrupted_tuned_training_resumes_bit_equal(train, monkeypatch, tmp_path, model):
    options = ["--recipe", "tuned", "--epochs", "3"]
    train(model, *options, out="whole")
    training, calls = MODULES[model].TunedTrainer, []
    step = training.step

    def interrupted(self, images, labels):
        calls.append(1)
        if len(calls) == 7:  # in the second epoch
            raise KeyboardInterrupt
        return step(self, images, labels)

    monkeypatch.setattr(training, "step", interrupted)
    assert train(model, *options, out="parts")[0] == 130
    assert train(model, "--resume", out="parts")[0] == 0
    whole, parts = (tmp_path / out / "weights.safetensors" for out in ("whole", "parts"))
    assert whole.read_bytes() == parts.read_bytes()


@pytest.mark.parametrize("model", ["gan", "cgan"])
def test_the_averaged_generator_follows_and_is_what_ships(train, tmp_path, model):
    module = MODULES[model]
    training = module.TunedTrainer(replace(module.TunedConfig(), averaging=0.5))
    before = parameters_to_vector(training.final("generator").parameters())
    digits = tiny_training.drawn(Path(), "train").first(32)
    training.step(digits.images.float() / 255, digits.labels)
    now = parameters_to_vector(training.networks["generator"].parameters()).detach()
    after = parameters_to_vector(training.final("generator").parameters())
    assert not torch.equal(now, before)
    torch.testing.assert_close(after, (before + now) / 2)


def test_the_averaged_gan_has_the_batch_norm_statistics_of_its_own_activations(train, tmp_path):
    training = gan.TunedTrainer(gan.TunedConfig())
    digits = tiny_training.drawn(Path(), "train").first(32)
    training.step(digits.images.float() / 255, digits.labels)
    training.end_epoch(digits)
    average = training.final("generator")
    seen = []
    average.layers[5].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))  # the second batch norm
    average(training.networks["prior"](torch.randn(500, 100)))
    torch.testing.assert_close(average.layers[5].running_mean, seen[0].mean((0, 2, 3)), atol=0.02, rtol=0.1)
    assert not average.training


def test_the_tuned_gan_s_latents_are_normal_and_tell_the_digit():
    torch.manual_seed(0)
    prior = gan.Prior()
    frequency = (torch.randn(500_000, 10) + prior.leanings).argmax(1).bincount() / 500_000  # (10,)
    labels = frequency.multinomial(100_000, replacement=True)  # (100000,)
    z = prior.draw(functional.one_hot(labels, 10).float())  # (100000, 100)
    assert ((z[:, :10] + prior.leanings).argmax(1) == labels).all()
    assert z.mean(0).abs().max() < 0.02
    torch.testing.assert_close(z.T.cov(), torch.eye(100), atol=0.03, rtol=0)


def test_the_tuned_gan_s_latents_tell_digits_as_often_as_mnist_has_them(mnist):
    labels = data.load(mnist, "train").labels
    told = (torch.randn(500_000, 10, generator=torch.Generator().manual_seed(0)) + gan.Prior().leanings).argmax(1)
    torch.testing.assert_close(told.bincount() / len(told), labels.bincount() / len(labels), atol=0.002, rtol=0)


def test_learning_rates_fall_to_nothing_at_the_end_of_a_tuned_training():
    training = cgan.TunedTrainer(cgan.TunedConfig())
    digits = tiny_training.drawn(Path(), "train").first(2)
    rates = []
    for progress in (0, 0.5, 0.75, 1):
        training.progress = progress
        training.step(digits.images.float() / 255, digits.labels)
        rates.append([optimizer.param_groups[0]["lr"] for optimizer in training.optimizers.values()])
    assert rates == [pytest.approx([2e-4 * share, 4e-4 * share]) for share in (1, 1, 0.5, 0)]


def test_a_wrong_label_makes_a_real_digit_a_fake_in_the_last_epochs_only():
    digits = tiny_training.drawn(Path(), "train").first(32)

    def learnt(progress, mismatch):
        """How much better the discriminator likes digits with their label than with others after some steps."""
        training = cgan.TunedTrainer(replace(cgan.TunedConfig(), mismatch=mismatch))
        training.progress = progress
        for _ in range(5):
            training.step(digits.images.float() / 255, digits.labels)
        discriminator = training.networks["discriminator"]
        features = discriminator.features(digits.images.float() / 255 * 2 - 1)
        label = functional.one_hot(digits.labels, 10).float()
        logits = discriminator.judge(features, label), discriminator.judge(features, r3gan.another_label(label))
        return (logits[0] - logits[1]).mean().item()

    assert learnt(0.5, 9.0) == learnt(0.5, 0.0)
    assert learnt(0.8, 9.0) > learnt(0.8, 0.0)


def test_another_label_is_any_but_the_right_one():
    label = functional.one_hot(torch.arange(10).repeat_interleave(300), 10).float()
    other = r3gan.another_label(label)
    assert (other.sum(1) == 1).all()
    pairs = torch.stack([label.argmax(1), other.argmax(1)], 1).unique(dim=0)
    assert len(pairs) == 90
    assert (pairs[:, 0] != pairs[:, 1]).all()


def test_the_gradient_penalty_is_half_the_squared_slope():
    images = torch.randn(3, 1, 28, 28, requires_grad=True)
    logits = 2 * images.flatten(1).sum(1, keepdim=True)  # (3, 1), of slope 2 in each of 784 directions
    assert r3gan.gradient_penalty(logits, images).item() == pytest.approx(784 * 4 / 2)


def in_a_process(out, *kill_at, resume=False):
    """A VAE's training of three epochs in a process of its own."""
    options = ["--epochs", "3", "--batch-size", "16", "--out", str(out), *(["--resume"] if resume else [])]
    command = [sys.executable, str(ROOT / "tests" / "tiny_training.py"), "vae", *map(str, kill_at), "--", *options]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return subprocess.run(
        command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False, cwd=ROOT
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The weights of a training that nothing disturbs."""
    out = tmp_path_factory.mktemp("undisturbed")
    assert in_a_process(out).returncode == 0
    return (out / "weights.safetensors").read_bytes()


# An epoch syncs four files (two pictures, metrics, state), renames them, and syncs their folder: 9 operations.
@pytest.mark.parametrize("operation", [10, 13, 17, 18], ids=["picture", "state", "before the state's rename", "after"])
def test_a_training_killed_in_the_middle_of_a_save_resumes_bit_equal(tmp_path, undisturbed, operation):
    killed = in_a_process(tmp_path, operation)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "state.pt").exists()
    resumed = in_a_process(tmp_path, resume=True)
    assert resumed.returncode == 0, resumed.stderr
    assert (tmp_path / "weights.safetensors").read_bytes() == undisturbed
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3]
    assert not list(tmp_path.glob(".*"))


def test_ctrl_c_ends_in_a_sentence_that_says_how_to_go_on(train, monkeypatch, tmp_path):
    step, calls = vae.Trainer.step, []

    def interrupted(self, images, labels):
        calls.append(1)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return step(self, images, labels)

    monkeypatch.setattr(vae.Trainer, "step", interrupted)
    monkeypatch.setattr(sys, "argv", ["vae.py", "--out", "my folder"])
    code, output = train("vae", "--epochs", "3")
    assert code == 130
    assert "Go on after the last whole epoch with: python -m training.vae --out 'my folder' --resume" in output
    assert len((tmp_path / "out" / "metrics.jsonl").read_text().splitlines()) == 1
    assert train("vae", "--resume")[0] == 0


def test_ctrl_c_before_anything_was_saved_says_so(train, monkeypatch, tmp_path):
    def interrupted(self, images, labels):
        raise KeyboardInterrupt

    monkeypatch.setattr(vae.Trainer, "step", interrupted)
    code, output = train("vae")
    assert code == 130
    assert "No epoch was finished, so nothing was saved" in output


def test_resuming_takes_the_options_of_the_training(train, tmp_path):
    train("vae", "--epochs", "1", "--seed", "9", "--limit", "48")
    assert train("vae", "--resume", "--epochs", "2")[0] == 0
    state = torch.load(tmp_path / "out" / "state.pt", weights_only=True)
    assert (state["config"]["seed"], state["config"]["limit"], state["config"]["epochs"]) == (9, 48, 2)


def test_a_finished_training_resumes_to_the_same_weights(train, tmp_path):
    train("vae", "--epochs", "1")
    before = (tmp_path / "out" / "weights.safetensors").read_bytes()
    assert train("vae", "--resume")[0] == 0
    assert (tmp_path / "out" / "weights.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--epochs", "0"], 2, "0 is not in the range"),
        (["--batch-size", "1"], 2, "1 is not in the range"),
        (["--limit", "60001"], 2, "60001 is not in the range"),
        (["--device", "tpu"], 2, "'tpu' is not one of"),
        (["--resume"], 1, "There is no training in"),
    ],
)
def test_a_mistake_gets_a_sentence(train, tmp_path, options, code, words):
    got, output = train("vae", *options)
    assert got == code
    assert words in output
    assert not (tmp_path / "out").exists()


def test_cuda_that_is_not_there_is_told(train, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    code, output = train("vae", "--device", "cuda")
    assert code == 1
    assert "finds no CUDA device" in output


def test_a_training_is_not_overwritten(train, tmp_path):
    train("vae", "--epochs", "1")
    before = (tmp_path / "out" / "state.pt").read_bytes()
    code, output = train("vae", "--epochs", "1")
    assert code == 1
    assert "already holds a training" in output
    assert (tmp_path / "out" / "state.pt").read_bytes() == before


def test_another_model_or_seed_is_not_resumed(train, tmp_path):
    train("vae", "--epochs", "1")
    assert "has model vae, not gan" in train("gan", "--resume")[1]
    assert "has seed 0, not 5" in train("vae", "--resume", "--seed", "5")[1]
    assert "has recipe seed, not tuned" in train("vae", "--resume", "--recipe", "tuned")[1]


def test_fewer_epochs_than_there_were_are_refused(train, tmp_path):
    train("vae", "--epochs", "2")
    code, output = train("vae", "--resume", "--epochs", "1")
    assert code == 1
    assert "has 2 epochs already: ask for --epochs 2 or more" in output


@pytest.mark.parametrize(("package", "extra"), [("training.vae", "train"), ("export.onnx", "export")])
def test_missing_packages_are_told_with_the_command_that_installs_them(package, extra):
    done = subprocess.run(  # -S leaves out everything that is installed
        [sys.executable, "-S", "-m", package, "--help"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 1
    assert re.fullmatch(rf".* needs .*: pip install -c constraints.txt -e '.\[{extra}\]'\n", done.stderr)


def test_a_damaged_checkpoint_is_told(train, tmp_path):
    train("vae", "--epochs", "1")
    state = tmp_path / "out" / "state.pt"
    state.write_bytes(state.read_bytes()[:5000])
    code, output = train("vae", "--resume")
    assert code == 1
    assert "damaged" in output


@pytest.mark.parametrize("name", ["config", "log", "networks", "optimizers", "random"])
def test_a_checkpoint_of_another_version_is_told(train, tmp_path, name):
    train("vae", "--epochs", "1")
    state = torch.load(tmp_path / "out" / "state.pt", weights_only=True)
    state[name] = {"other": torch.zeros(3)}
    torch.save(state, tmp_path / "out" / "state.pt")
    code, output = train("vae", "--resume")
    assert code == 1
    assert "no checkpoint of this version" in output


def test_a_checkpoint_that_would_run_code_is_refused(train, tmp_path):
    class Evil:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    (tmp_path / "out").mkdir()
    torch.save({"config": Evil()}, tmp_path / "out" / "state.pt")
    code, output = train("vae", "--resume")
    assert code == 1
    assert "no checkpoint of this version" in output
    assert not (tmp_path / "ran").exists()


def test_a_full_disk_keeps_the_last_whole_epoch(train, tmp_path, monkeypatch):
    train("vae", "--epochs", "1")
    before = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    code, output = train("vae", "--resume", "--epochs", "2")
    assert code == 1
    assert "cannot be written to (No space left on device)" in output
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == before


def test_a_folder_that_cannot_be_made_is_told(train, tmp_path):
    (tmp_path / "file").write_text("")
    code, output = train("vae", out="file/out")
    assert code == 1
    assert "cannot be made" in output


def test_a_training_that_diverges_stops_before_it_is_saved(train, tmp_path, monkeypatch):
    monkeypatch.setattr(vae, "kl_loss", lambda mean, log_var: mean.sum() * float("nan"))
    code, output = train("vae")
    assert code == 1
    assert "diverged" in output
    assert not (tmp_path / "out" / "state.pt").exists()


@pytest.mark.parametrize("model", TRAINED)
def test_a_quick_try_on_mnist_trains(mnist, tmp_path, model):
    options = ["--data", str(mnist), "--limit", "320", "--epochs", "1", "--batch-size", "64", "--out", str(tmp_path)]
    done = CliRunner().invoke(MODULES[model].main, options)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "weights.safetensors").exists()


def test_bfloat16_is_used_where_the_processor_has_it(monkeypatch):
    cpu = torch.device("cpu")
    for capabilities, expected in (({}, False), ({"amx_bf16": True}, True), ({"avx512_bf16": True}, True)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda capabilities=capabilities: capabilities)
        assert cli.has_bfloat16(cpu) is expected
        assert vae.Trainer(vae.Config()).autocast()._enabled is expected


def test_the_benchmark_compares_each_choice():
    done = CliRunner().invoke(benchmark.main, ["--rounds", "1"])
    assert done.exit_code == 0
    rows = [line.split() for line in done.output.splitlines()[1:]]
    assert len(rows) == sum(map(len, benchmark.CASES.values()))
    assert [row[-1] for row in rows if "trained" in row] == ["1.00"] * 3
