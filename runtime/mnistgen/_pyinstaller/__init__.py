"""What PyInstaller has to know, so that a bundled app finds its models; it asks by the entry point `hook-dirs`."""

from pathlib import Path


def hook_folders() -> list[str]:
    """Where the hooks are, each named after the module that it is for."""
    return [str(Path(__file__).parent)]
