"""Writing files whole or not at all (contract C6)."""

import contextlib
import os
from pathlib import Path

from mnistgen.errors import OutputError


def write_whole(path: Path, content: bytes, option: str = "--out") -> None:
    """Write `content` to `path`, where stands all of it afterwards, or what stood there before.

    A device or a named pipe is written to as it is. Raises OutputError where the file cannot be written, which says to
    name another one by the command's `option`.
    """
    real = Path(os.path.realpath(path))  # a link stays, and what it points to is replaced
    temporary = real.with_name(f".mnistgen-{os.getpid()}.part")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        temporary.write_bytes(content)
        temporary.replace(real)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{path} cannot be written ({reason}): name another file with {option}.") from error
    finally:
        with contextlib.suppress(OSError):  # where it cannot be deleted it could not be made either
            temporary.unlink(missing_ok=True)


def check_folder(path: Path, option: str = "--out") -> None:
    """Raise OutputError where there is no folder to write `path` to: before the work that the file is for."""
    try:
        is_folder = path.parent.is_dir()
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror}): name another file with {option}.") from error
    if not is_folder:
        raise OutputError(f"There is no folder {path.parent} to write to: make it, or name another file with {option}.")
