"""The models' cards: written from what is known of the models, in Hugging Face's form."""

import re
import shutil

import pytest
from click.testing import CliRunner
from conftest import MODELS, ROOT

from export.report import cards
from mnistgen.manifest import Manifest

CARDS = ROOT / "docs" / "models"
SECTIONS = [
    "Model description", "Intended uses", "How to use", "Training data", "Training procedure", "Evaluation",
    "Limitations and biases", "Technical specifications", "Environmental impact", "Citation",
]  # fmt: skip


def test_the_cards_that_ship_are_what_is_known_of_the_models(tmp_path):
    done = CliRunner().invoke(cards.main, ["--artifacts", str(ROOT / "artifacts"), "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in CARDS.iterdir()}
    for path in tmp_path.iterdir():
        assert path.read_text(encoding="utf-8") == (CARDS / path.name).read_text(encoding="utf-8"), path.name


@pytest.mark.parametrize("name", MODELS)
def test_a_card_has_the_form_and_the_figures_of_the_certificate(name):
    yaml = pytest.importorskip("yaml", reason="needs PyYAML, which mkdocs brings")
    _, front, text = re.split(r"^---\n", (CARDS / f"{name}.md").read_text(encoding="utf-8"), maxsplit=2, flags=re.M)
    facts = yaml.safe_load(front)
    assert (facts["license"], facts["datasets"]) == ("mit", ["ylecun/mnist"])
    assert facts["pipeline_tag"] == "unconditional-image-generation"
    (index,) = facts["model-index"]
    (result,) = index["results"]
    metrics = Manifest(ROOT / "artifacts").model(name).quality["metrics"]
    assert {each["type"]: each["value"] for each in result["metrics"]} == {
        metric: figures["mean"] for metric, figures in metrics.items()
    }
    assert facts["metrics"] == list(metrics)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "cards"
    done = CliRunner().invoke(cards.main, ["--artifacts", str(ROOT / "artifacts"), "--out", str(out)])
    assert (done.exit_code, done.output.count("\n")) == (1, 1)
    assert "cannot be written (Not a directory): nothing was changed; make room or name another folder with --out." in (
        done.output
    )


@pytest.mark.parametrize("missing", ["manifest.json", "references.json", "weights/gan.metrics.jsonl"])
def test_what_is_missing_is_told_and_no_card_written(tmp_path, missing):
    folder = tmp_path / "artifacts"
    shutil.copytree(ROOT / "artifacts", folder, ignore=shutil.ignore_patterns("*.png", "*.onnx", "*.safetensors"))
    (folder / missing).unlink()
    done = CliRunner().invoke(cards.main, ["--artifacts", str(folder), "--out", str(tmp_path / "cards")])
    assert done.exit_code == 1
    assert "lacks a model, its metrics or its certificate: export and certify" in done.output
    assert not (tmp_path / "cards").exists()
