"""Write files atomically (contract C6).

The content goes to a temporary file next to the target, which is then renamed. A rename is atomic: at any time, the
target holds either its old content or all of the new one, even if the disk is full or the process is killed.
"""

import contextlib
import os
from pathlib import Path

from mnistgen.errors import OutputError


def write_whole(path: Path, content: bytes, option: str = "--out") -> None:
    """Replace the file at `path` by `content`, or leave it as it was. Devices and named pipes are written directly.

    Raises:
        OutputError: The file cannot be written; the remedy names the command's `option`.
    """
    real = Path(os.path.realpath(path))  # keep a symbolic link and replace its target
    temporary = real.with_name(f".mnistgen-{os.getpid()}.part")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        temporary.write_bytes(content)
        temporary.replace(real)
    except OSError as error:
        raise _not_writable(path, error.strerror or str(error), option) from error
    finally:
        with contextlib.suppress(OSError):  # if it cannot be deleted, it could not be created
            temporary.unlink(missing_ok=True)


def check_folder(path: Path, option: str = "--out") -> None:
    """Raise OutputError if the folder of `path` does not exist: before the work that the file is for."""
    try:
        is_folder = path.parent.is_dir()
    except OSError as error:
        raise _not_writable(path, error.strerror, option) from error
    if not is_folder:
        raise OutputError(
            f"The folder {path.parent} does not exist",
            code="folder-missing",
            remedy=f"Create it, or name another file with {option}",
        )


def _not_writable(path: Path, reason: str | None, option: str) -> OutputError:
    return OutputError(
        f"{path} cannot be written ({reason})",
        code="output-not-writable",
        remedy=f"Name another file with {option}",
    )
