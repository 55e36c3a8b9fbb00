"""PyInstaller hooks that bundle the models; found through the entry point `hook-dirs`."""

from pathlib import Path


def hook_folders() -> list[str]:
    """Return the folders of the hooks, each of which is named after the module that it is for."""
    return [str(Path(__file__).parent)]
