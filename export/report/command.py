"""Write REPORT.md, its figures and the model cards: `python -m export.report`."""

from pathlib import Path

import click

from export import weights
from export.artifacts import locked_artifacts, write_artifacts
from export.graphs.models import GRAPHS
from export.quality.evaluate import load_evaluator
from export.report import cards, pictures, text
from export.report.pictures import FOLDERS
from training import data

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.option("--artifacts", type=_FOLDER, default="artifacts", show_default=True, help="Folder of models and weights.")
@click.option("--cards", "card_folder", type=_FOLDER, default="docs/models", show_default=True, help="Folder of cards.")
@click.option("--data", "mnist", type=_FOLDER, default="data", show_default=True, help="Folder of MNIST.")
def main(artifacts: Path, card_folder: Path, mnist: Path) -> None:
    """Write REPORT.md and its figures into the folder --artifacts, and the model cards into the folder --cards.

    Everything is made from the models, their quality certificates and MNIST's test set.

    \b
    Example:
      python -m export.report
    """
    click.get_current_context().with_resource(locked_artifacts(artifacts))
    model_cards = cards.model_cards(artifacts)
    found = {
        recipe: {name: weights.read(name, artifacts / folder / f"{name}.safetensors") for name in GRAPHS}
        for recipe, folder in FOLDERS.items()
    }
    report = text.report(artifacts, found)
    evaluator = load_evaluator(artifacts / "weights" / "evaluator.safetensors")
    images = pictures.draw(artifacts, found, evaluator, data.load(mnist, "test"))
    write_artifacts(
        {artifacts / "report" / f"{name}.png": png for name, png in images.items()}
        | {artifacts / "REPORT.md": report.encode()}
        | {card_folder / f"{name}.md": card.encode() for name, card in model_cards.items()},
        "--artifacts or --cards",
    )
    click.echo(f"Written to {artifacts / 'REPORT.md'} and {card_folder}.")
