"""Read and write the artifacts folder: models and manifest, all or nothing."""

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from PIL import Image

from export.errors import ExportError
from export.graphs.convert import draws_same_images
from export.graphs.models import GRAPHS, SHIPPED, base_model
from mnistgen.errors import ArtifactError
from mnistgen.manifest import SCHEMA, Manifest, Model, Verifier
from training.files import locked, replace_files


@contextmanager
def locked_artifacts(artifacts: Path, option: str = "--artifacts") -> Iterator[None]:
    """Lock the folder against other exports, from reading its manifest until it is written; create it if it is missing.

    Args:
        artifacts: The folder.
        option: The command's option to name another folder.

    Raises:
        ExportError: Another export is using the folder, or it cannot be created.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(artifacts))
        except BlockingIOError as error:
            raise ExportError(
                f"Another export is using {artifacts}. Wait for it, or name another folder with {option}."
            ) from error
        except OSError as error:
            raise ExportError(
                f"The folder {artifacts} cannot be written ({error.strerror}). Name another folder with {option}."
            ) from error
        yield


def read_models(artifacts: Path) -> dict[str, Model]:
    """Return the models that the manifest in `artifacts` lists; none if there is no manifest."""
    manifest = _manifest(artifacts)
    return manifest.models if manifest else {}


def read_verifier(artifacts: Path) -> Verifier | None:
    """Return the verifier that the manifest in `artifacts` lists, if any."""
    manifest = _manifest(artifacts)
    return manifest.verifier if manifest else None


def _manifest(artifacts: Path) -> Manifest | None:
    path = artifacts / "manifest.json"
    if not path.exists():
        return None
    try:
        return Manifest(artifacts)
    except ArtifactError as error:
        raise ExportError(f"{path} cannot be read ({error.problem}). Delete it and export with --all.") from error


def keep_certificate(model: Model, content: bytes, before: Model | None, artifacts: Path) -> Model:
    """Return `model` with the certificate that it had before, if its file draws the same images as the former one.

    A certificate measures images. So it stays valid if the same weights are only written in another form.

    Args:
        model: The model to write.
        content: Its ONNX file.
        before: What the manifest says about the former file, if any.
        artifacts: The folder of the former file.
    """
    if not before or not before.certified or model.weights_sha256 != before.weights_sha256:
        return model
    if model.sha256 != before.sha256:
        try:
            former = (artifacts / before.file).read_bytes()
        except OSError:
            return model
        is_former = hashlib.sha256(former).hexdigest() == before.sha256
        if not is_former or not draws_same_images(GRAPHS[base_model(model.name)], former, content):
            return model
    return replace(model, quality=before.quality)


def manifest_bytes(models: Mapping[str, Model], verifier: Verifier | None = None) -> bytes:
    """Return a manifest that lists `models` and, if given, the `verifier`."""
    facts = {name: models[name].facts() for name in sorted(models, key=[*SHIPPED, *models].index)}
    other = {"verifier": asdict(verifier)} if verifier else {}
    return (json.dumps({"schema": SCHEMA, "models": facts, **other}, indent=2) + "\n").encode()


def write_artifacts(contents: dict[Path, bytes], option: str = "--artifacts") -> None:
    """Write all files or none; leave those that already have their content.

    Git stores every version of a file for good. So a picture whose pixels are the same keeps its bytes, even if another
    version of a library compresses it differently.

    Args:
        contents: Bytes by path.
        option: The command's option to name another folder.

    Raises:
        ExportError: A file cannot be written; nothing has changed.
    """
    try:
        for path in contents:
            path.parent.mkdir(parents=True, exist_ok=True)
        replace_files({path: content for path, content in contents.items() if not _holds(path, content)})
    except OSError as error:
        raise ExportError(
            f"{error.filename or 'The artifacts'} cannot be written ({error.strerror}). Nothing was changed. "
            f"Make room, or name another folder with {option}."
        ) from error


def _holds(path: Path, content: bytes) -> bool:
    """Return whether the file at `path` has the bytes of `content` or, if both are PNG files, its pixels."""
    try:
        present = path.read_bytes()
        return present == content or (path.suffix == ".png" and _pixels(present) == _pixels(content))
    except (OSError, SyntaxError, ValueError):  # no such file, or a damaged picture
        return False


def _pixels(png: bytes) -> tuple[str, tuple[int, int], bytes]:
    """Return the mode, the size and the pixels of a picture."""
    with Image.open(io.BytesIO(png)) as image:
        return image.mode, image.size, image.convert("RGBA").tobytes()
