"""Writing files whole or not at all (contract C6)."""

import contextlib
import os
from pathlib import Path

from mnistgen.errors import OutputError


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` to `path`, where stands all of it afterwards, or what stood there before.

    Raises OutputError where the file cannot be written.
    """
    temporary = path.with_name(f".mnistgen-{os.getpid()}.part")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{path} cannot be written ({reason}): name another file with --out.") from error
    finally:
        with contextlib.suppress(OSError):  # where it cannot be deleted it could not be made either
            temporary.unlink(missing_ok=True)
