"""The files of a Triton model repository."""

from pathlib import Path

from export.artifacts import manifest_bytes
from export.errors import ExportError
from export.triton import config
from export.triton.config import Placement
from mnistgen.errors import ArtifactError
from mnistgen.manifest import Artifact, Manifest

DIGITS = "digits"
"""Name of the model that draws by seed and index."""
VERIFIER = "verifier"


def artifacts_of(manifest: Manifest) -> dict[str, Artifact]:
    """Return the models, and the verifier if there is one, by name."""
    others: dict[str, Artifact] = {VERIFIER: manifest.verifier} if manifest.verifier else {}
    return {**manifest.models, **others}


def contents(manifest: Manifest, names: list[str], drawn: str, placement: Placement) -> dict[str, bytes]:
    """Return the bytes of each file of a repository, by its path in the repository.

    A configuration comes after the files that it needs, because a Triton server may watch the folder.

    Args:
        manifest: The artifacts.
        names: Models to serve as they are, with latents as inputs.
        drawn: Model that draws by seed and index.
        placement: Where they run.

    Raises:
        ExportError: A file is missing or is not the manifest's.
    """
    files: dict[str, bytes] = {}
    for name in names:
        artifact = artifacts_of(manifest)[name]
        files[f"{name}/1/model.onnx"] = _read(manifest, artifact)
        files[f"{name}/config.pbtxt"] = config.onnx_config(name, artifact, placement).encode()
    model = manifest.model(drawn)
    files[f"{DIGITS}/1/{model.file}"] = _read(manifest, model)
    files[f"{DIGITS}/1/manifest.json"] = manifest_bytes({drawn: model})
    files[f"{DIGITS}/1/model.py"] = Path(__file__).with_name("digits.py").read_bytes()
    files[f"{DIGITS}/config.pbtxt"] = config.digits_config(DIGITS, drawn, placement).encode()
    return files


def _read(manifest: Manifest, artifact: Artifact) -> bytes:
    try:
        return manifest.read_bytes(artifact)
    except ArtifactError as error:
        raise ExportError(f"{error.problem}. Export it again, or name another folder with --artifacts.") from error
