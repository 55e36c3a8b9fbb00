"""Coverage-guided fuzzing with Atheris: `python -m faults.guided_fuzz TARGET SECONDS`.

Targets are `picture`, `record`, `manifest` and `model`. Inputs that reach new code are kept in .fuzz/TARGET for the
next run. An exception other than the expected errors ends the run and writes the input to a file that Atheris names.
"""

import contextlib
import json
import sys
import tempfile
from pathlib import Path

import atheris
import numpy as np

# Before anything else imports these modules.
with atheris.instrument_imports(include=["mnistgen", "json", "PIL"]):
    import PIL.GifImagePlugin
    import PIL.PngImagePlugin
    import PIL.WebPImagePlugin  # noqa: F401  # lazily loaded otherwise, without instrumentation

    import mnistgen
    from mnistgen import provenance
    from mnistgen.inference.onnx_scan import check_self_contained
    from mnistgen.manifest import Manifest
    from mnistgen.output import images
    from mnistgen.provenance import container

from conftest import ROOT
from record_helpers import FACTS, MANIFOLD, WALK
from test_fuzz import MANIFEST, carriers
from test_model_file import DENSE, DRAW, SHAPE, custom

FOLDER = Path(tempfile.mkdtemp())
PICTURE = np.zeros((28, 28), dtype=np.uint8)


def picture(content: bytes) -> None:
    """Read the metadata and the pixels of a file."""
    for read in (container.metadata, lambda *given: container.pixels(*given, (3, 28, 28))):
        with contextlib.suppress(mnistgen.ProvenanceError):
            read(content, FOLDER)


def record(content: bytes) -> None:
    """Read a PNG that carries `content` as its record."""
    path = FOLDER / "fuzzed.png"
    path.write_bytes(images.encode_png(PICTURE, content.decode("utf-8", "ignore").replace("\0", "")))
    with contextlib.suppress(mnistgen.ProvenanceError):
        provenance.read(path)


def manifest(content: bytes) -> None:
    """Read a manifest."""
    (FOLDER / "manifest.json").write_bytes(content)
    with contextlib.suppress(mnistgen.ArtifactError):
        Manifest(FOLDER)


def model(content: bytes) -> None:
    """Scan an ONNX file."""
    with contextlib.suppress(mnistgen.ArtifactError):
        check_self_contained(content)


SEEDS = {
    picture: carriers(),
    record: [json.dumps(facts).encode() for facts in (FACTS, WALK, MANIFOLD)],
    manifest: [json.dumps(MANIFEST).encode()],
    model: [custom(FOLDER / "seed.onnx", DRAW, [DENSE, SHAPE]).read_bytes()],
}


def main(name: str, seconds: int) -> None:
    """Fuzz a target for some seconds."""
    target = {target.__name__: target for target in SEEDS}[name]
    corpus = ROOT / ".fuzz" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[target]):
        (corpus / f"seed{number}").write_bytes(seed)
    limits = [f"-max_total_time={seconds}", "-max_len=100000", "-timeout=20", "-rss_limit_mb=4096"]
    output = ["-verbosity=0", "-print_final_stats=1", f"-artifact_prefix={ROOT}/.fuzz/{name}-"]
    atheris.Setup([sys.argv[0], str(corpus), *limits, *output], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
