"""A hatchling hook for PyPI's page: README.md with absolute links, because its relative links lead nowhere there."""

import re
from pathlib import Path, PurePosixPath

from hatchling.metadata.plugin.interface import MetadataHookInterface

_TARGET = re.compile(r"(?<=\]\()(?!https://)[^)]+")
_IMAGES = {".gif", ".png"}


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
