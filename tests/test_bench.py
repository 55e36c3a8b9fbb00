"""The comparison of runtimes: each draws the same images, and what is not installed is left out."""

import os
import re
import sys

import numpy as np
import pytest
from conftest import MODELS, ROOT

from export.benchmark import command as bench
from export.benchmark import runtimes
from export.graphs.convert import example_inputs
from export.graphs.models import GRAPHS


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))


@pytest.mark.parametrize("model", ["vae", "gan", "cgan"])
@pytest.mark.parametrize("name", ["mnistgen, one thread", "ONNX Runtime, naive export", "PyTorch eager"])
def test_runtimes_draw_what_ours_draws(model, name):
    inputs = example_inputs(GRAPHS[model], 3)
    expected = runtimes.PEERS["mnistgen"](model, inputs, 2)()
    np.testing.assert_allclose(runtimes.PEERS[name](model, inputs, 2)(), expected, atol=1e-4)


def test_eight_bits_draw_about_the_same():
    inputs = example_inputs(GRAPHS["gan"], 3)
    expected = runtimes.PEERS["mnistgen"]("gan", inputs, 1)()
    difference = np.abs(runtimes.PEERS["mnistgen, int8 convolutions"]("gan", inputs, 1)() - expected)
    assert 0 < difference.mean() < 0.05


def test_what_cannot_be_prepared_is_left_out_with_the_reason(capfd):
    results = bench.measure("vae", 2, ["mnistgen", "the fastest"], rounds=1)
    assert [each.name for each in results] == ["mnistgen", "sgemm"]
    assert all(each.median > 0 for each in results)
    assert "the fastest is left out: KeyError: 'the fastest'" in capfd.readouterr().err


def test_a_table_has_a_row_for_each_runtime_and_compares_with_ours(capsys):
    images = np.zeros((4, 1, 28, 28))
    results = [
        bench.Result("mnistgen", [0.2, 0.1, 0.3], images),
        bench.Result("another", [0.4], images + 0.5),
        bench.Result("sgemm", [0.1], images),
    ]
    bench._print_table("cgan", 256, results)
    rows = capsys.readouterr().out.splitlines()
    share = 142158408 * 256 / 0.2 / (2 * 2048**3 / 0.1)
    assert rows[-2] == f"| mnistgen | 781 | 1.00 | {share:.0%} | 0e+00 |"
    assert rows[-1].startswith("| another | 1562 | 2.00 |")
    assert rows[-1].endswith("| 5e-01 |")


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux, which tells a process's memory")
@pytest.mark.parametrize("model", MODELS)
def test_a_stream_takes_little_memory(capsys, model):
    bench._print_memory([model], 2500)
    told = re.fullmatch(rf"{model}, 2,500 images: (\d+) MiB\n", capsys.readouterr().out)
    assert 30 < int(told[1]) < 250
