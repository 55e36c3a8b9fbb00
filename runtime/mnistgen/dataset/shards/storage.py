"""The folder that shards are written to: what the rest of the package needs from it.

A file is written to a draft first, and then takes its name as a whole: by a rename on a disk, by one upload to an
object store. So at any time, a name belongs to no file or to a complete one.
"""

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol


class Storage(Protocol):
    """A folder of files; all methods may raise OSError. Names are relative to the folder, with slashes."""

    def prepare(self) -> None:
        """Create the folder."""

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Keep other commands out, where the file system can."""

    def clean(self) -> None:
        """Delete drafts that killed processes left behind."""

    def sizes(self) -> dict[str, int]:
        """Return the size in bytes of each file in the folder, without those in folders below it."""

    def read(self, name: str) -> bytes | None:
        """Return the content of a file; None if there is none."""

    def read_all(self, names: list[str]) -> list[bytes | None]:
        """Return the contents of several files."""

    def write(self, name: str, content: bytes) -> None:
        """Write a small file as a whole."""

    def drafts(self, names: list[str]) -> contextlib.AbstractContextManager[list[Path]]:
        """Return paths on this computer for files of these names; they are deleted at the end."""

    def put(self, draft: Path, name: str) -> None:
        """Give a finished draft its name."""

    def sha256(self, name: str) -> str | None:
        """Return the SHA-256 of a file in hexadecimal; None if there is none."""

    def delete(self, name: str) -> None:
        """Delete a file if it exists."""


def file_sha256(file: IO[bytes]) -> str:
    """Return the SHA-256 of the rest of an open file in hexadecimal."""
    digest = hashlib.sha256()
    while part := file.read(1 << 20):
        digest.update(part)
    return digest.hexdigest()


@contextlib.contextmanager
def temporary_drafts(names: list[str]) -> Iterator[list[Path]]:
    """Return paths in a temporary folder of this computer, which is deleted at the end."""
    with tempfile.TemporaryDirectory(prefix="mnistgen-") as folder:
        yield [Path(folder) / name for name in names]
