"""Add the wheel's version, its models and the demo page's packages to its CycloneDX file, and validate the file.

Usage: sbom_parts.py dist/mnistgen.cdx.json VERSION, after the page was built
"""

import json
import re
import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).parents[1]
MANIFEST = ROOT / "artifacts" / "manifest.json"
PAGE_LICENSES = ROOT / "web" / "dist" / "licenses.txt"
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


def page_components() -> list[dict]:
    """Return the components of the npm packages that the demo page contains, as its list of licenses names them."""
    named = re.findall(r"^## (\S+) - (\S+) \((\S+)\)$", PAGE_LICENSES.read_text(encoding="utf-8"), re.M)
    return [
        {
            "bom-ref": f"npm:{name}",
            "type": "library",
            "name": name,
            "version": version,
            "purl": f"pkg:npm/{name.replace('@', '%40')}@{version}",
            "licenses": [{"license": {"id": license}}],
        }
        for name, version, license in named
    ]


def main(path: Path, version: str) -> None:
    """Add the version, the models and the page's packages to the file at `path`; fail if the result is not valid."""
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    bom = json.loads(path.read_text(encoding="utf-8"))
    bom["metadata"]["component"] |= {"version": version, "type": "library"}
    bom["components"] += [
        component(*each) for each in (manifest["models"] | {"verifier": manifest["verifier"]}).items()
    ]
    bom["components"] += page_components()
    text = json.dumps(bom, indent=2)
    errors = JsonStrictValidator(SchemaVersion.from_version(bom["specVersion"])).validate_str(text)
    if errors:
        raise SystemExit(f"{path} is not a valid CycloneDX file: {errors}")
    path.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
