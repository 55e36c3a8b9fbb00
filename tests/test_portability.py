"""`python -m export.portability`: runtimes that agree, differ, crash, hang or are missing."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from export.portability import command, compare, page
from export.portability.runtimes import Runtime
from mnistgen.manifest import Manifest, artifacts_folder


def run(*options):
    return CliRunner().invoke(command.main, [*map(str, options)], catch_exceptions=False)


@pytest.fixture
def few(monkeypatch):
    """Only five images of each model."""
    monkeypatch.setattr(compare, "SIZES", (1, 1, 3))


def test_onnxruntime_agrees(few, tmp_path):
    results = tmp_path / "results.json"
    done = run("--runtime", "onnxruntime", "--model", "vae", "--model", "verifier", "--json", results)
    assert done.output.splitlines() == [
        "onnxruntime: vae: largest difference 0, differing 0.0000%",
        "onnxruntime: verifier: largest difference 0, differing 0.0000%",
    ]
    entry = json.loads(results.read_text())["onnxruntime"]
    assert entry["models"]["vae"]["sha256"] == Manifest(artifacts_folder()).model("vae").sha256


def test_missing_runtime_is_reported(few, tmp_path):
    done = run("--runtime", "tract", "--model", "vae", "--venvs", tmp_path)
    assert (done.exit_code, done.output) == (0, "tract: not installed\n")


def test_damaged_results(tmp_path):
    (tmp_path / "results.json").write_text("{")
    done = run("--model", "vae", "--json", tmp_path / "results.json")
    assert done.exit_code == 1
    assert "is not JSON. Delete it" in done.output


def test_unknown_model():
    done = run("--model", "wgan")
    assert done.exit_code == 2
    assert "expected one of vae" in done.output


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("raise RuntimeError('no Conv')", "RuntimeError: no Conv"),
        ("import time; time.sleep(60)", "no result after 1 seconds"),
        ("import os; os._exit(3)", "it ended with code 3"),
    ],
    ids=["refuses", "hangs", "crashes"],
)
def test_failing_runtime(few, tmp_path, monkeypatch, code, fault):
    (tmp_path / "adapters.py").write_text(code)
    monkeypatch.setattr(compare, "__file__", str(tmp_path / "compare.py"))
    batches = compare.batches_of(Manifest(artifacts_folder()), "vae")
    outcome = compare.compare(Runtime("x", "x"), Path(sys.executable), tmp_path / "vae.onnx", batches, 1)
    assert outcome.fault == fault


def test_wrong_images_are_measured():
    expected = [np.zeros((2, 1, 28, 28), np.float32)]
    wrong = expected[0].copy()
    wrong[1, 0, 3, 4] = 0.2
    assert compare.judge(expected, [wrong]) == compare.Outcome(51.0, 1 / (2 * 28 * 28))
    assert compare.judge(expected, [np.full_like(wrong, np.nan)]).fault
    assert compare.judge(expected, [wrong[:1]]).fault


def test_other_digits_are_counted():
    expected = [np.eye(10, dtype=np.float32)[[3, 4]]]
    assert compare.judge(expected, [expected[0][[0, 0]]]).differing == 0.5


def test_page_shows_differences_and_causes():
    text = "before\n<!-- table -->\nold\n<!-- end -->\nafter\n"
    results = {"difference": 1.0, "differing": 0.1, "fault": None}
    found = {
        "tract": {"version": "1.0", "models": {"vae": results, "gan": {**results, "fault": "ValueError: no | Conv"}}}
    }
    written = page.write(text, found)
    assert "| tract | 1.0 | 1 | no (1) |" in written
    assert "1. `no | Conv`" in written
    assert written.startswith("before\n")
    assert written.endswith("after\n")
    assert page.write(written, found) == written
