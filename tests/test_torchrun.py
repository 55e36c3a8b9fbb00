"""Training in several processes: equal bits, resuming with another number, and processes that fail."""

import os
import signal
import subprocess
import sys
from contextlib import nullcontext

import pytest
import tiny_torchrun
import tiny_training
import torch
from conftest import TRAINED
from tiny_torchrun import train_in_processes

from training import processes
from training.shard_state import ShardState, shard_seed

CASES = [f"{model}:{recipe}" for model in TRAINED for recipe in ("seed", "tuned")]
CASE = "vae:tuned"
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
TORCHRUN += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0"]  # at any free port
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals of POSIX")


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))


def state(folder):
    """Return everything that the next epoch depends on, and the metrics without their seconds, as a flat list."""
    found = torch.load(folder / "state.pt", weights_only=True)
    for epoch in found["log"]["epochs"]:
        del epoch["seconds"]
    return list(flat(found))


def flat(value):
    """Yield the keys and values of nested containers; tensors as shape and bytes."""
    if isinstance(value, torch.Tensor):
        yield value.shape, value.contiguous().numpy().tobytes()
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from flat(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from flat(each)
    else:
        yield value


def test_two_processes_equal_one(tmp_path):
    cases, one, two = ",".join(CASES), tmp_path / "one", tmp_path / "two"
    assert train_in_processes(1, one, cases, "--shards", "2")[0] == [0]
    command = [*TORCHRUN, tiny_torchrun.__file__, str(two), cases]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    for case in CASES:
        assert state(two / case) == state(one / case), case
        pictures = [[path.read_bytes() for path in sorted((out / case).glob("*.png"))] for out in (one, two)]
        assert pictures[0] == pictures[1]
        assert pictures[0]
    assert done.stdout.count("Saved the weights") == len(CASES)  # by one process only


def test_lost_processes_and_resume_with_other_numbers(tmp_path, monkeypatch):
    """Two processes end in epoch 2, one in epoch 3; two finish."""
    out, whole = tmp_path / "out", tmp_path / "whole"
    folder = out / CASE
    assert train_in_processes(1, whole, CASE, "--epochs", "3", "--shards", "2")[0] == [0]
    program = [sys.executable, tiny_torchrun.__file__, str(out), CASE, "--epochs", "3", "--devices", "2"]
    monkeypatch.setattr(sys, "orig_argv", program)
    monkeypatch.setenv("TINY_FAILURE", "1 4 SIGKILL")
    code, output = tiny_training.train("vae", "--devices", "2", out=folder)
    assert code == 1
    assert output.startswith("Error: Process 1 of 2 was ended by SIGKILL. To resume, run: python -m training.vae")
    assert output.count("\n") == 1
    assert epochs(folder) == 1
    again = (out, CASE, "--epochs", "3", "--resume")
    assert train_in_processes(1, *again, TINY_FAILURE="0 3 SIGKILL")[0] == [-signal.SIGKILL]
    assert epochs(folder) == 2
    assert train_in_processes(2, *again)[0] == [0, 0]
    assert state(folder) == state(whole / CASE)


def epochs(folder):
    return len((folder / "metrics.jsonl").read_text().splitlines())


@pytest.mark.parametrize(
    ("failure", "codes", "message"),
    [
        (
            "SIGSTOP",
            [1, -signal.SIGKILL],
            "Another process of this training has ended, or has not answered for 1 seconds. To resume, run: ",
        ),
        (
            "wrong",
            [1, 1],
            "After epoch 2, the weights of process 1 are not those of process 0; expected equal weights.",
        ),
    ],
)
def test_failure_of_a_process_ends_all(tmp_path, failure, codes, message):
    settings = {"TINY_FAILURE": f"1 4 {failure}", "TINY_TIMEOUT": "1"}
    ended, errors = train_in_processes(2, tmp_path, "vae:seed", "--epochs", "2", **settings)
    assert ended == codes
    assert "".join(errors).startswith(f"Error: {message}")
    assert "".join(errors).count("\n") == 1
    assert epochs(tmp_path / "vae:seed") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shards", "3", "--batch-size", "9"], "--shards is 3; expected a multiple of 2, the number of processes."),
        (
            ["--shards", "6"],
            "--batch-size is 8; expected a multiple of 6, the number of shards, with at least 2 images",
        ),
        (
            ["--shards", "8"],
            "--batch-size is 8; expected a multiple of 8, the number of shards, with at least 2 images",
        ),
        (["--limit", "3"], "--limit is 3; expected at least 4, 2 images for each shard."),
        (["--devices", "3"], "--devices is 3; expected 2, the number of processes that were started."),
    ],
)
def test_numbers_that_do_not_fit(tmp_path, monkeypatch, options, message):
    monkeypatch.setattr(processes, "place", lambda: processes.Place(0, 2, 0))
    monkeypatch.setattr(processes, "joined", lambda here: nullcontext())
    code, output = tiny_training.train("vae", "--batch-size", "8", *options, out=tmp_path)
    assert code == 1
    assert output.startswith(f"Error: {message}")


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (
            {"RANK": "0", "MASTER_PORT": "1"},
            "The environment variables WORLD_SIZE, LOCAL_RANK, MASTER_ADDR are",
        ),
        ({"WORLD_SIZE": "2"}, "The environment variables RANK, LOCAL_RANK, MASTER_ADDR, MASTER_PORT are missing"),
        (dict.fromkeys(processes.VARIABLES, "2"), "The environment has RANK='2', WORLD_SIZE='2', LOCAL_RANK='2',"),
        (dict.fromkeys(processes.VARIABLES, ""), "The environment has RANK='', WORLD_SIZE='', LOCAL_RANK='',"),
    ],
)
def test_damaged_environment(tmp_path, monkeypatch, environment, message):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    code, output = tiny_training.train("vae", out=tmp_path)
    assert code == 1
    assert output.startswith(f"Error: {message}")


def test_shards_draw_different_numbers():
    seeds = {shard_seed(7, step, shard, 4) for step in range(5000) for shard in range(4)}
    assert len(seeds) == 20_000
    states = [ShardState(seed, {}, torch.device("cpu")) for seed in (1, 2)]
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    drawn = []
    for _ in range(2):
        for each in states:
            with each:
                drawn.append(torch.rand(1).item())
    assert torch.equal(torch.rand(2), expected)  # the global generator has not moved
    assert drawn == [torch.rand(2, generator=torch.Generator().manual_seed(seed))[i] for i in (0, 1) for seed in (1, 2)]


def test_batch_norm_statistics_are_the_mean_of_the_shards():
    images, labels = tiny_training.batch(8)
    alone = []
    for shard in range(2):
        training = tiny_training.new_trainer("gan", shards=2)
        with ShardState(shard_seed(0, 0, shard, 2), training.networks, training.device):
            training.networks["generator"](torch.randn(4, 100))
            alone.append(training.networks["generator"].layers[1].running_var.clone())
    both = tiny_training.new_trainer("gan", shards=2)
    both.step(images, labels)
    norm = both.networks["generator"].layers[1]
    torch.testing.assert_close(norm.running_var, (alone[0] + alone[1]) / 2)
    assert not torch.equal(alone[0], alone[1])
    assert norm.num_batches_tracked == 1


def test_shards_give_the_mean_gradient():
    """Without random numbers or batch norm, shards change the rounding only."""
    images, labels = tiny_training.batch(8)
    after = []
    for shards in (1, 4):
        training = tiny_training.new_trainer("cgan", shards=shards)
        training.autocast = nullcontext  # bfloat16 rounds by more, on processors that have it
        training.generate = lambda label, network=training.networks["generator"]: network(
            label.argmax(1, keepdim=True).float().expand(-1, 128), label
        )
        metrics = training.step(images, labels)
        after.append([*(tensor for tensor in training.exported_weights().values()), metrics["d_loss"].float()])
    torch.testing.assert_close(after[0], after[1], rtol=1e-4, atol=1e-5)
