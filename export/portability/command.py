"""The command `python -m export.portability`."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from export.portability import page
from export.portability.compare import Outcome, batches_of, compare
from export.portability.runtimes import RUNTIMES, Runtime
from mnistgen.manifest import Manifest, artifacts_folder

PAGE = Path(__file__).parents[2] / "docs" / "portability.md"


@click.command()
@click.option(
    "--runtime", "names", multiple=True, type=click.Choice([*RUNTIMES]), help="Runtime to try.  [default: all]"
)
@click.option("--model", "models", multiple=True, help="Model to run.  [default: all, with the verifier]")
@click.option(
    "--artifacts", type=click.Path(path_type=Path, file_okay=False, exists=True), help="Folder of the models."
)
@click.option(
    "--venvs", type=click.Path(path_type=Path, file_okay=False), default=Path(".portability"), show_default=True,
    help="Folder of the runtimes' environments.",
)  # fmt: skip
@click.option("--install", is_flag=True, help="Create missing environments (uses the network).")
@click.option("--seconds", type=click.FloatRange(1), default=180.0, show_default=True, help="Limit for each model.")
@click.option(
    "--json", "results", type=click.Path(path_type=Path, dir_okay=False), help="Add the results to this file."
)
@click.option("--page", "write_page", is_flag=True, help="Write the results of --json into docs/portability.md.")
def main(
    names: tuple[str, ...], models: tuple[str, ...], artifacts: Path | None, venvs: Path, install: bool,
    seconds: float, results: Path | None, write_page: bool,
) -> None:  # fmt: skip
    """Run the ONNX files in runtimes that others wrote, and compare their images with ONNX Runtime's."""
    if write_page and not results:
        raise click.UsageError("--page needs --json, the file of all results.")
    manifest = Manifest(artifacts or artifacts_folder())
    files = {name: model.file for name, model in manifest.models.items()}
    if manifest.verifier:
        files["verifier"] = manifest.verifier.file
    for name in models:
        if name not in files:
            raise click.UsageError(f"--model is {name}; expected one of {', '.join(files)}.")
    batches = {name: batches_of(manifest, name) for name in models or files}
    found = _read(results) if results else {}
    for name in names or RUNTIMES:
        python = _python(RUNTIMES[name], venvs / (RUNTIMES[name].environment or name), install)
        if python is None:
            click.echo(f"{name}: not installed", err=True)
            continue
        entry = found.setdefault(name, {"models": {}})
        entry["version"] = _version(RUNTIMES[name], python)
        for model, given in batches.items():
            outcome = compare(RUNTIMES[name], python, (manifest.folder / files[model]).resolve(), given, seconds)
            entry["models"][model] = {"sha256": _sha256(manifest, model), **asdict(outcome)}
            click.echo(f"{name}: {model}: {_shown(outcome)}")
            if results:
                results.write_text(json.dumps(found, indent=1) + "\n")
    if write_page:
        PAGE.write_text(page.write(PAGE.read_text(), _current(found, manifest)))


def _read(file: Path) -> dict[str, Any]:
    """Return the results of earlier runs, and create the file's folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        found: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    except ValueError as error:
        raise click.ClickException(f"{file} is not JSON. Delete it, or name another file.") from error
    return found


def _python(runtime: Runtime, folder: Path, install: bool) -> Path | None:
    """Return the Python of a runtime's environment, or None if it is not installed."""
    if not runtime.packages:
        return Path(sys.executable)
    python = folder.absolute() / "bin" / "python"
    if not python.is_file():
        if not install:
            return None
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        command = [python, "-m", "pip", "--disable-pip-version-check", "-q", "install", "numpy", *runtime.packages]
        if subprocess.run(command, check=False).returncode:
            return None
    return python


def _version(runtime: Runtime, python: Path) -> str:
    code = f"from importlib.metadata import version; print(version({runtime.shown_package!r}))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _current(found: dict[str, Any], manifest: Manifest) -> dict[str, Any]:
    """Return the results of the present files only."""
    kept = {}
    for name, entry in found.items():
        models = {model: each for model, each in entry["models"].items() if each["sha256"] == _sha256(manifest, model)}
        if models:
            kept[name] = {**entry, "models": models}
    return kept


def _sha256(manifest: Manifest, name: str) -> str:
    found = manifest.verifier if name == "verifier" else manifest.model(name)
    return found.sha256 if found else ""


def _shown(outcome: Outcome) -> str:
    if outcome.fault:
        return outcome.fault
    return f"largest difference {outcome.difference:g}, differing {outcome.differing:.4%}"
