"""Hatchling hooks: README.md with absolute links for PyPI, and archives without the models in float16."""

import json
import re
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

_TARGET = re.compile(r"(?<=\]\()(?!https://)[^)]+")
_IMAGES = {".gif", ".png"}
_MANIFESTS = {"wheel": "mnistgen/artifacts/manifest.json", "sdist": "artifacts/manifest.json"}
"""Path of the manifest in each kind of archive."""


class LongDescription(MetadataHookInterface):
    """Set the project's `readme`."""

    def update(self, metadata: dict) -> None:
        """Add README.md to `metadata`; its links lead to the files of this version's tag."""
        source, tag = metadata["urls"]["Source"], f"v{metadata['version']}"
        pages = f"{source}/blob/{tag}/"
        images = f"{source.replace('//github.com/', '//raw.githubusercontent.com/')}/{tag}/"

        def absolute(target: re.Match[str]) -> str:
            return (images if PurePosixPath(target[0]).suffix in _IMAGES else pages) + target[0]

        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": _TARGET.sub(absolute, text)}


class PackagedManifest(BuildHookInterface):
    """Add a manifest that lists only the models in the archive.

    pyproject.toml leaves out the models whose weights are float16: they are as fast as the float32 models, which are
    there, and would add 7 MB.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the manifest, and add it under its path in the archive."""
        if version == "editable":  # uses the folder artifacts/ itself
            return
        manifest = json.loads((Path(self.root) / "artifacts" / "manifest.json").read_text(encoding="utf-8"))
        listed = manifest["models"].items()
        manifest["models"] = {name: model for name, model in listed if model["precision"] != "float16"}
        self._folder = tempfile.TemporaryDirectory()
        written = Path(self._folder.name) / "manifest.json"
        written.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8", newline="\n")
        build_data["force_include"][str(written)] = _MANIFESTS[self.target_name]

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the written manifest."""
        if version != "editable":
            self._folder.cleanup()
