"""Add the version and the models of the wheel to its CycloneDX file, and validate the file.

Usage: sbom_models.py dist/mnistgen.cdx.json VERSION
"""

import json
import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

MANIFEST = Path(__file__).parents[1] / "artifacts" / "manifest.json"
MNIST = {
    "type": "dataset",
    "name": "MNIST",
    "governance": {"owners": [{"organization": {"name": "Yann LeCun and Corinna Cortes"}}]},
    "contents": {"url": "https://huggingface.co/datasets/ylecun/mnist"},
    "description": "Training set. License: CC-BY-SA-3.0",
}


def component(name: str, facts: dict) -> dict:
    """Return the component of a model; `facts` are those of the manifest."""
    return {
        "bom-ref": f"model:{name}",
        "type": "machine-learning-model",
        "name": name,
        "version": facts["weights_sha256"][:12],
        "description": f"mnistgen/artifacts/{facts['file']}, recipe {facts['recipe']}, {facts['epochs']} epochs",
        "hashes": [{"alg": "SHA-256", "content": facts["sha256"]}],
        "licenses": [{"license": {"id": "MIT"}}],
        "modelCard": {"modelParameters": {"datasets": [MNIST]}},
    }


def main(path: Path, version: str) -> None:
    """Add the version and the models to the file at `path`; fail if the result is not valid."""
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    bom = json.loads(path.read_text(encoding="utf-8"))
    bom["metadata"]["component"] |= {"version": version, "type": "library"}
    bom["components"] += [
        component(*each) for each in (manifest["models"] | {"verifier": manifest["verifier"]}).items()
    ]
    text = json.dumps(bom, indent=2)
    errors = JsonStrictValidator(SchemaVersion.from_version(bom["specVersion"])).validate_str(text)
    if errors:
        raise SystemExit(f"{path} is not a valid CycloneDX file: {errors}")
    path.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
