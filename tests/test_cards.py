"""The shipped model cards follow Hugging Face's format and agree with the certificates."""

import re

import pytest
from conftest import MODELS, ROOT

from export.report import cards
from mnistgen.manifest import Manifest

FOLDER = ROOT / "docs" / "models"
SECTIONS = [
    "Model description", "Intended uses", "How to use", "Training data", "Training procedure", "Evaluation",
    "Limitations and biases", "Technical specifications", "Environmental impact", "Citation",
]  # fmt: skip


def test_shipped_cards_are_up_to_date():
    shipped = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert cards.model_cards(ROOT / "artifacts") == shipped


@pytest.mark.parametrize("name", MODELS)
def test_card_agrees_with_certificate(name):
    yaml = pytest.importorskip("yaml", reason="needs PyYAML, which mkdocs installs")
    _, front, text = re.split(r"^---\n", (FOLDER / f"{name}.md").read_text(encoding="utf-8"), maxsplit=2, flags=re.M)
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
