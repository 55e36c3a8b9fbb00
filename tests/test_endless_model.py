"""A model that never ends can be stopped: by its time limit, and by Ctrl-C."""

import signal
import subprocess
import sys
import threading
import time

import numpy as np
import onnx_writer as w
import pytest
from subprocess_helpers import cli_command
from test_model_file import DENSE, DRAW, METADATA, SHAPE, custom, model

import mnistgen

TRUE = w.tensor("true", [], [True], w.BOOL)


def endless(path, when=None):
    """Write a model with a loop that never ends, or only for batches of the size `when`."""
    body = w.graph(
        [w.node("Identity", ["going"], ["goes"]), w.node("Identity", ["carried"], ["carries"])],
        [w.value_info("i", [], w.INT64), w.value_info("going", [], w.BOOL), w.value_info("carried", ["N", 2])],
        [w.value_info("goes", [], w.BOOL), w.value_info("carries", ["N", 2])],
    )
    start, tensors = "true", [DENSE, SHAPE, TRUE]
    nodes = []
    if when is not None:
        tensors += [w.tensor("when", [], [when], w.INT64), w.tensor("first", [], [0], w.INT64)]
        nodes = [
            w.node("Shape", ["z"], ["size"]),
            w.node("Gather", ["size", "first"], ["rows"]),
            w.node("Equal", ["rows", "when"], ["start"]),
        ]
        start = "start"
    loop = w.node("Loop", ["", start, "z"], ["looped"], w.attribute("body", 5, 6, body))
    draw = [w.node("MatMul", ["looped", "weights"], ["sum"]), *DRAW[1:]]
    return custom(path, [*nodes, loop, *draw], tensors)


def test_loading_ends(tmp_path):
    with pytest.raises(mnistgen.ArtifactError) as caught:
        mnistgen.Generator.from_file(endless(tmp_path / "endless.onnx"), timeout=0.2)
    assert caught.value.code == "model-too-slow"


@pytest.mark.parametrize(("n", "when"), [(1, 1), (40, 10)])
def test_every_run_ends(tmp_path, n, when):
    gen = mnistgen.Generator.from_file(endless(tmp_path / "endless.onnx", when), threads=2, device="cpu", timeout=0.2)
    with pytest.raises(mnistgen.ArtifactError) as caught:
        gen.generate(n)
    assert caught.value.code == "model-too-slow"


def test_stopped_runs_end_their_threads(tmp_path):
    with pytest.raises(mnistgen.ArtifactError):
        mnistgen.Generator.from_file(endless(tmp_path / "endless.onnx"), timeout=0.1)
    for thread in threading.enumerate():
        if thread.name == "mnistgen-mine":
            thread.join(10)
            assert not thread.is_alive()


def test_limit_keeps_the_pixels(tmp_path):
    path = model(tmp_path / "mine.onnx", METADATA)
    few, many = (mnistgen.Generator.from_file(path, device="cpu", timeout=limit) for limit in (5, 1_000_000))
    np.testing.assert_array_equal(few.generate(40, seed=1), many.generate(40, seed=1))


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 1e7, 10**400, "5", None, [1]], ids=repr)
def test_invalid_timeout(tmp_path, timeout):
    with pytest.raises(mnistgen.InputError) as caught:
        mnistgen.Generator.from_file(model(tmp_path / "mine.onnx"), timeout=timeout)
    assert caught.value.code == "invalid-timeout"


def test_command_has_a_timeout(run, folder):
    endless(folder / "endless.onnx")
    code, out, err = run("--model-path", "endless.onnx", "--timeout", "0.2")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "took longer than 0.2 s" in err
    code, _, err = run("--timeout", "5")
    assert (code, err.count("\n")) == (2, 1)
    assert "without --model-path" in err


@pytest.mark.skipif(sys.platform == "win32", reason="needs the signals of POSIX")
@pytest.mark.parametrize("when", [None, 1, 10], ids=["while loading", "one image", "several threads"])
def test_interrupt_ends_an_endless_model(folder, when):
    path = endless(folder / "endless.onnx", when)
    count = "40" if when == 10 else "1"
    command = cli_command("--model-path", str(path), "--n", count, name="mnistgen-run")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err.strip()) == (130, "", "mnistgen-run: Interrupted.")
    assert [file.name for file in folder.iterdir()] == ["endless.onnx"]
