"""The benchmark that compares runtimes, and measures start-up time and memory."""

import os
import re
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import MODELS, ROOT

from export.benchmark import command, workers
from export.benchmark.memory import print_memory
from export.benchmark.runtimes import RUNTIMES
from export.benchmark.workers import Result
from export.graphs.convert import example_inputs
from export.graphs.models import GRAPHS


@pytest.fixture(autouse=True)
def _checkout(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))


@pytest.mark.parametrize("model", ["vae", "gan", "cgan"])
def test_runtimes_generate_equal_images(model):
    inputs = example_inputs(GRAPHS[model], 3)
    expected = RUNTIMES["mnistgen"](model, inputs, 2)()
    for name in ("mnistgen, one thread", "ONNX Runtime, naive export", "PyTorch eager"):
        np.testing.assert_allclose(RUNTIMES[name](model, inputs, 2)(), expected, atol=1e-4, err_msg=name)


def test_int8_images_are_close():
    inputs = example_inputs(GRAPHS["gan"], 3)
    expected = RUNTIMES["mnistgen"]("gan", inputs, 1)()
    difference = np.abs(RUNTIMES["mnistgen, int8 convolutions"]("gan", inputs, 1)() - expected)
    assert 0 < difference.mean() < 0.05


def test_unavailable_runtime_is_left_out(capfd):
    results = workers.measure("vae", 2, ["mnistgen", "missing"], rounds=1)
    assert [each.name for each in results] == ["mnistgen", "sgemm"]
    assert all(each.median > 0 for each in results)
    assert "missing is left out: KeyError" in capfd.readouterr().err


def test_table_compares_with_mnistgen(capsys):
    images = np.zeros((4, 1, 28, 28))
    results = [
        Result("mnistgen", [0.2, 0.1, 0.3], images),
        Result("other", [0.4], images + 0.5),
        Result("sgemm", [0.1], images),
    ]
    command.print_table("cgan", 256, results)
    rows = capsys.readouterr().out.splitlines()
    share = 142158408 * 256 / 0.2 / (2 * 2048**3 / 0.1)
    assert rows[-2] == f"| mnistgen | 781 | 1.00 | {share:.0%} | 0e+00 |"
    assert rows[-1].startswith("| other | 1562 | 2.00 |")
    assert rows[-1].endswith("| 5e-01 |")


def test_chosen_runtimes_follow_mnistgen(monkeypatch):
    measured = []
    monkeypatch.setattr(command, "measure", lambda *arguments: measured.append(arguments))
    monkeypatch.setattr(command, "print_table", lambda *arguments: None)
    done = CliRunner().invoke(command.main, ["--runtime", "ncnn", "--model", "gan", "--batch", "3"])
    assert (done.exit_code, measured) == (0, [("gan", 3, ["mnistgen", "ncnn"], 9)])


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")
@pytest.mark.parametrize("model", MODELS)
def test_stream_needs_little_memory(capsys, model):
    print_memory([model], 2500)
    mebibytes = re.fullmatch(rf"{model}, 2,500 images: (\d+) MiB\n", capsys.readouterr().out)[1]
    assert 30 < int(mebibytes) < 250
