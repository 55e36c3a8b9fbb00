"""Files that are never half there."""

import errno
import os
from pathlib import Path


def replace_files(contents: dict[Path, bytes]) -> None:
    """Put `contents` in the place of the files at these paths.

    All are written and synced beside their places before the first is renamed into it, in the order given. So whatever
    happens, a path holds either what it held or all of its content; and if the disk refuses, OSError is raised and
    every path holds what it held.
    """
    for path in contents:
        if path.is_dir():  # found out by renaming, after others have been renamed, it would be too late
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
    """See that renames in `folder` have reached the disk."""
    if os.name == "nt":  # Windows opens no folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
