"""The command that scores models with a third-party classifier."""

import json
import sys
from types import SimpleNamespace

from click.testing import CliRunner
from conftest import ROOT
from tiny_training import digits

from export.quality import external_classifier
from training import data


def test_scores_are_lines_of_json(monkeypatch):
    always_one = SimpleNamespace(predict=lambda image, invert: 1)
    package = SimpleNamespace(DigitRecognizer=lambda device: always_one)
    monkeypatch.setitem(sys.modules, "digit_recognizer", package)
    monkeypatch.setattr(data, "load", digits)
    arguments = ["--model", "cgan-int8", "--n", "10", "--artifacts", str(ROOT / "artifacts")]
    done = CliRunner().invoke(external_classifier.main, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    real, scores = map(json.loads, done.output.splitlines())
    assert real["external_classifier"] == external_classifier.PACKAGE
    assert real["test_accuracy"] == 0.1
    assert (scores["model"], scores["accuracy"], scores["verified_accuracy"]) == ("cgan-int8", 0.1, 0.1)
    assert scores["max_attempts"] >= scores["mean_attempts"] >= 1


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "digit_recognizer", None)
    done = CliRunner().invoke(external_classifier.main, [])
    assert done.exit_code == 1
    assert external_classifier.PACKAGE in done.output
