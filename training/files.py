"""Atomic replacement of files."""

import errno
import os
from pathlib import Path


def replace_files(contents: dict[Path, bytes]) -> None:
    """Write each file, so that its path always holds the complete old or the complete new content.

    All new files are written and synced next to their targets first. Then each is renamed to its target, in the given
    order.

    Raises:
        OSError: If a file cannot be written. All paths keep their old content.
    """
    for path in contents:
        if path.is_dir():  # must be found out before the first file is renamed
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    parts = {path: path.with_name(f".{path.name}.part") for path in contents}
    try:
        for path, part in parts.items():
            with part.open("wb") as file:
                file.write(contents[path])
                file.flush()
                os.fsync(file.fileno())
        for path, part in parts.items():
            part.replace(path)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
    for folder in {path.parent for path in contents}:
        _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    """Flush renames in `folder` to the disk."""
    if os.name == "nt":  # Windows cannot open folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
