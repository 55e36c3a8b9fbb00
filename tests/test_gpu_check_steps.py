"""The steps of the GPU check, run on the CPU with tiny sizes."""

import json
from pathlib import Path

import pytest
import torch
from conftest import MNIST, MODELS, TRAINED

from export.gpu_check import context as contexts
from export.gpu_check.context import Context, SkippedError
from export.gpu_check.steps import digits, full_training, speed, training


@pytest.fixture
def context(tmp_path: Path):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Context("cpu", True, tmp_path, MNIST, 60.0, tmp_path / "rows.jsonl")
    torch.set_num_threads(threads)


def rows(context: Context) -> list[dict]:
    return [json.loads(line) for line in context.rows.read_text().splitlines()]


def test_doctor_reports_its_checks(context):
    digits.examine(context)
    assert {"models", "cpu"} <= {row["check"] for row in rows(context)}


def test_digits_of_the_cpu_are_those_of_the_cpu(context):
    digits.compare_digits(context)
    found = {row["model"]: row for row in rows(context)}
    assert tuple(found) == MODELS
    assert all(row["from_cpu"] == 0 and row["provider"] == "CPUExecutionProvider" for row in found.values())


@pytest.mark.parametrize(
    ("model", "changes", "close"),
    [
        ("cgan", {"from_cpu": 1, "from_golden": 1}, True),
        ("cgan", {"from_golden": 2}, False),
        ("cgan-int8", {"from_cpu": 60, "mean_from_cpu": 0.5}, True),
        ("cgan-int8", {"mean_from_cpu": 1.1}, False),
        ("cgan-int8", {"mean_from_golden": 1.1}, False),
    ],
)
def test_digits_are_bounded(model, changes, close):
    same = {"from_cpu": 0, "mean_from_cpu": 0.0, "from_golden": 0, "mean_from_golden": 0.0}
    assert digits.is_close(model, {**same, **changes}) == close


def test_digits_that_differ_fail_the_step(context, monkeypatch):
    golden = digits._golden
    monkeypatch.setattr(digits, "SHIPPED", ("vae", "cgan-int8"))
    monkeypatch.setattr(digits, "_golden", lambda name: golden(name) + 2)
    with pytest.raises(RuntimeError, match="vae, cgan-int8 differ"):
        digits.compare_digits(context)


def test_speed_measures_each_runtime(context, monkeypatch):
    models = ("vae", "cgan")  # without and with labels
    monkeypatch.setattr(speed, "GRAPHS", {name: speed.GRAPHS[name] for name in models})
    speed.measure_speed(context)
    found = rows(context)
    assert not [row for row in found if "left_out" in row]
    timed = {(row["model"], row["batch"], row["runtime"]) for row in found if "runtime" in row}
    runtimes = {runtime for _, _, runtime in timed}
    assert {"PyTorch eager", "torch.compile", "ONNX Runtime, I/O binding"} <= runtimes
    assert timed == {(model, batch, runtime) for model in models for batch in (1, 8) for runtime in runtimes}
    assert {row["chunk"] for row in found if "chunk" in row} == set(speed.CHUNKS)


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # by torch.compile itself
def test_training_measures_each_recipe_and_variant(context):
    training.measure_training(context)
    found = rows(context)
    assert not [row for row in found if "left_out" in row]
    variants = ("as trained", "without bfloat16", "torch.compile of the generator or decoder")
    expected = {(model, recipe, name) for model in TRAINED for recipe in ("seed", "tuned") for name in variants}
    assert {(row["model"], row["recipe"], row["variant"]) for row in found} == expected
    assert len(found) == len(expected)


def test_variant_that_fails_is_reported(context, monkeypatch):
    monkeypatch.setattr(training, "MODELS", {"vae": training.vae})

    def fail(*_):
        raise RuntimeError("no compiler")

    monkeypatch.setattr(training, "_compiled", fail)
    training.measure_training(context)
    left_out = [row["left_out"] for row in rows(context) if "left_out" in row]
    assert left_out == ["RuntimeError: no compiler"] * 2


def test_full_training_without_mnist_is_skipped(context, tmp_path):
    with pytest.raises(SkippedError, match="lacks train-images"):
        full_training.train_cgan(Context("cpu", True, tmp_path, tmp_path / "no", 60.0, tmp_path / "rows.jsonl"))


def test_full_training_that_takes_too_long_is_skipped(tmp_path, monkeypatch):
    monkeypatch.setattr(full_training, "tuned_cgan_rate", lambda _: 1000.0)
    monkeypatch.setattr(full_training, "FILES", ())
    late = Context("cpu", False, tmp_path, tmp_path, 60.0, tmp_path / "rows.jsonl")
    with pytest.raises(SkippedError, match="takes about 1560 s; 60 s are left"):
        full_training.train_cgan(late)


@pytest.mark.skipif(not list(MNIST.glob("MNIST/raw/train-images*")), reason="MNIST is not there")
def test_full_training_keeps_an_earlier_one(context):
    (context.out / "cgan").mkdir()
    full_training.train_cgan(context)
    assert rows(context)[-1]["folder"] == "cgan-2"
    assert (context.out / "cgan-2" / "weights.safetensors").stat().st_size > 5_000_000


@pytest.mark.parametrize("step", [digits.compare_digits, speed.measure_speed, training.measure_training])
def test_steps_are_skipped_without_a_gpu(step, tmp_path, monkeypatch):
    monkeypatch.setattr(contexts.torch.cuda, "is_available", lambda: False)
    with pytest.raises(SkippedError, match="PyTorch"):
        step(Context("cuda", False, tmp_path, tmp_path, 60.0, tmp_path / "rows.jsonl"))
