"""Checkpoints: interrupting, killing and resuming a training, and errors of its command."""

import errno
import json
import os
import signal
import sys
from functools import partial
from pathlib import Path

import pytest
import tiny_training
import torch
from safetensors import safe_open
from tiny_training import interrupt_at, weights

from training import files, vae


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    tiny_training.shrink(monkeypatch)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def train(out):
    """Trains the VAE into `out`; returns exit code and output."""
    return partial(tiny_training.train, "vae", out=out)


@pytest.fixture
def one_epoch(train, out):
    """The folder of a training of one epoch."""
    assert train("--epochs", "1")[0] == 0
    return out


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The weights of a training that is not killed."""
    out = tmp_path_factory.mktemp("undisturbed")
    assert tiny_training.train_in_process("vae", "--epochs", "3", out=out) == 0
    return weights(out)


# An epoch syncs four files (two pictures, metrics, state), renames them, and syncs their folder: 9 operations.
@pytest.mark.parametrize("operation", [10, 13, 17, 18], ids=["picture", "state", "before rename", "after rename"])
def test_killed_training_resumes_to_equal_weights(tmp_path, undisturbed, operation):
    killed = tiny_training.train_in_process("vae", "--epochs", "3", out=tmp_path, kill_at=operation)
    assert killed == -signal.SIGKILL
    assert (tmp_path / "state.pt").exists()
    assert tiny_training.train_in_process("vae", "--resume", out=tmp_path) == 0
    assert weights(tmp_path) == undisturbed
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3]
    assert not list(tmp_path.glob(".*"))


def test_interrupt_prints_the_resume_command(train, monkeypatch, out):
    interrupt_at(monkeypatch, vae.Trainer, 7)  # in the second epoch
    monkeypatch.setattr("sys.argv", ["vae.py", "--out", "my folder"])
    code, output = train("--epochs", "3")
    assert code == 130
    assert "python -m training.vae --out 'my folder' --resume" in output
    assert len((out / "metrics.jsonl").read_text().splitlines()) == 1
    assert train("--resume")[0] == 0


def test_interrupt_in_first_epoch(train, monkeypatch, out):
    interrupt_at(monkeypatch, vae.Trainer, 1)
    code, output = train()
    assert code == 130
    assert "--resume" not in output
    assert not (out / "state.pt").exists()


def test_resume_keeps_options(train, out):
    train("--epochs", "1", "--seed", "9", "--limit", "16")
    assert train("--resume", "--epochs", "2")[0] == 0
    config = torch.load(out / "state.pt", weights_only=True)["config"]
    assert (config["seed"], config["limit"], config["epochs"]) == (9, 16, 2)


def test_changed_numbers_are_recorded_and_resumed(train, out):
    changes = ("--recipe", "tuned", "--set", "kl_weight=2", "--set", "prior_steps=10")
    train("--epochs", "1", *changes)
    assert train("--resume", "--epochs", "2", "--set", "kl_weight=2")[0] == 0
    with safe_open(out / "weights.safetensors", "pt") as file:
        facts = json.loads(file.metadata()["mnistgen"])
    assert (facts["kl_weight"], facts["prior_steps"], facts["recipe"]) == (2.0, 10, "custom")
    assert facts["command"].endswith("--seed 0 --set kl_weight=2.0 --set prior_steps=10")


def test_resume_of_finished_training(train, one_epoch):
    before = weights(one_epoch)
    assert train("--resume")[0] == 0
    assert weights(one_epoch) == before


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--epochs", "0"], 2, "0 is not in the range"),
        (["--batch-size", "1"], 2, "1 is not in the range"),
        (["--limit", "60001"], 2, "60001 is not in the range"),
        (["--device", "tpu"], 2, "'tpu' is not one of"),
        (["--resume"], 1, "state.pt is missing"),
        (["--set", "learning_rate"], 2, "expected NAME=VALUE"),
        (["--set", "learning_rate=fast"], 2, "expected NAME=VALUE"),
        (["--set", "learning_rate=nan"], 2, "learning_rate is nan; expected a number from 0 to 1000000."),
        (["--recipe", "tuned", "--set", "ema_decay=1.5"], 2, "ema_decay is 1.5; expected a number from 0 to 1."),
        (["--recipe", "tuned", "--set", "prior_steps=1.5"], 2, "prior_steps is 1.5; expected an integer from 0"),
        (["--set", "epochs=3"], 2, "'epochs' is not a number of the seed recipe; expected one of learning_rate."),
    ],
)
def test_invalid_options(train, out, options, code, words):
    got, output = train(*options)
    assert got == code
    assert words in output
    assert not out.exists()


def test_missing_cuda(train, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    code, output = train("--device", "cuda")
    assert code == 1
    assert "--device cpu" in output


def test_existing_training_is_not_overwritten(train, one_epoch):
    before = (one_epoch / "state.pt").read_bytes()
    code, output = train("--epochs", "1")
    assert code == 1
    assert str(one_epoch) in output
    assert "--resume" in output
    assert (one_epoch / "state.pt").read_bytes() == before


@pytest.mark.parametrize(
    ("model", "option", "words"),
    [
        ("gan", [], "vae; expected gan"),
        ("vae", ["--seed", "5"], "--seed is 5; expected 0"),
        ("vae", ["--recipe", "tuned"], "--recipe is tuned; expected seed"),
        ("vae", ["--epochs", "1"], "--epochs is 1; expected at least 2"),
        ("vae", ["--set", "learning_rate=0.5"], "--set learning_rate is 0.5; expected 0.001"),
    ],
)
def test_resume_with_other_settings_is_refused(train, out, model, option, words):
    train("--epochs", "2")
    code, output = tiny_training.train(model, "--resume", *option, out=out)
    assert code == 1
    assert words in output


@pytest.mark.parametrize("damaged", ["truncated", "config", "log", "networks", "optimizers", "random"])
def test_damaged_checkpoint_is_refused(train, one_epoch, damaged):
    path = one_epoch / "state.pt"
    if damaged == "truncated":
        path.write_bytes(path.read_bytes()[:5000])
    else:
        torch.save({**torch.load(path, weights_only=True), damaged: {"other": torch.zeros(3)}}, path)
    code, output = train("--resume")
    assert code == 1
    assert f"{path} is damaged" in output


@pytest.mark.parametrize(
    "change",
    [
        lambda state: {},
        lambda state: [],
        lambda state: 5,
        lambda state: {**state, "config": []},
        lambda state: {**state, "config": "vae"},
        lambda state: {**state, "config": state["config"] | {"model": "\x1b[31m"}},
        lambda state: {**state, "config": state["config"] | {"recipe": []}},
        lambda state: {**state, "config": state["config"] | {"epochs": "30"}},
        lambda state: {**state, "config": state["config"] | {"epochs": -1}},
        lambda state: {**state, "config": state["config"] | {"batch_size": 0}},
        lambda state: {**state, "config": state["config"] | {"seed": 1 << 70}},
        lambda state: {**state, "config": state["config"] | {"limit": "all"}},
        lambda state: {**state, "config": state["config"] | {"learning_rate": None}},
        lambda state: {**state, "log": {"git_revision": 5, "epochs": []}},
        lambda state: {**state, "log": {"git_revision": "x", "epochs": 5}},
        lambda state: {**state, "log": {"git_revision": "x", "epochs": [5]}},
        lambda state: {**state, "log": {"git_revision": "x", "epochs": [{"loss": "low"}]}},
        lambda state: {**state, "optimizers": dict.fromkeys(state["optimizers"], 5)},
        lambda state: {**state, "networks": dict.fromkeys(state["networks"], 5)},
        lambda state: {**state, "random": 5},
    ],
)
def test_checkpoint_of_wrong_types_is_refused(train, one_epoch, change):
    path = one_epoch / "state.pt"
    torch.save(change(torch.load(path, weights_only=True)), path)
    code, output = train("--resume")
    assert code == 1
    assert f"{path} is damaged" in output


def test_checkpoint_with_code_is_not_executed(train, out, tmp_path):
    class Evil:
        def __reduce__(self):
            return Path.touch, (tmp_path / "executed",)

    out.mkdir()
    torch.save({"config": Evil()}, out / "state.pt")
    code, output = train("--resume")
    assert code == 1
    assert "state.pt is damaged" in output
    assert not (tmp_path / "executed").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="needs locks of POSIX")
def test_two_trainings_need_two_folders(train, one_epoch):
    before = {file.name: file.read_bytes() for file in one_epoch.iterdir()}
    with files.locked(one_epoch):
        for options in (["--resume", "--epochs", "2"], []):
            code, output = train(*options)
            assert code == 1
            assert output.startswith(f"Error: Another training is writing to {one_epoch}. Wait for it")
    assert {file.name: file.read_bytes() for file in one_epoch.iterdir()} == before
    assert train("--resume", "--epochs", "2")[0] == 0


def test_full_disk_keeps_the_last_checkpoint(train, one_epoch, monkeypatch):
    before = {file.name: file.read_bytes() for file in one_epoch.iterdir()}

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    code, output = train("--resume", "--epochs", "2")
    assert code == 1
    assert "No space left on device" in output
    assert {file.name: file.read_bytes() for file in one_epoch.iterdir()} == before


def test_output_folder_below_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    code, output = tiny_training.train("vae", out=tmp_path / "file" / "out")
    assert code == 1
    assert "Not a directory" in output


def test_diverged_training_is_not_saved(train, out, monkeypatch):
    monkeypatch.setattr(vae, "kl_divergence", lambda mean, log_var: mean.sum() * float("nan"))
    code, output = train()
    assert code == 1
    assert "NaN" in output
    assert not (out / "state.pt").exists()
