"""A folder of shards on a disk."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from mnistgen.dataset.draft import lock
from mnistgen.dataset.settings import SHARDS
from mnistgen.dataset.shards.storage import file_sha256
from mnistgen.errors import OutputError
from mnistgen.output.files import replace_file, sync, sync_folders


class LocalFolder:
    """A folder on a disk, or on a network file system that several computers have mounted."""

    def __init__(self, path: Path):
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def prepare(self) -> None:
        """Create the folder, and the one of drafts and records in it."""
        if self._path.exists() and not self._path.is_dir():
            raise OutputError(f"{self._path} is a file; expected a folder", code="output-not-a-folder")
        if (self._path / SHARDS).is_symlink():
            raise OutputError(
                f"{self._path / SHARDS} is a symbolic link; expected a folder",
                code="output-exists",
                remedy="Delete the link",
            )
        (self._path / SHARDS).mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder."""
        with contextlib.ExitStack() as stack:
            lock(self._path, stack)
            yield

    def clean(self) -> None:
        """Delete drafts that killed processes left behind."""
        for draft in (self._path / SHARDS).glob("*.part"):
            draft.unlink(missing_ok=True)

    def sizes(self) -> dict[str, int]:
        """Return the size of each file."""
        with os.scandir(self._path) as entries:
            return {entry.name: entry.stat().st_size for entry in entries if entry.is_file(follow_symlinks=False)}

    def read(self, name: str) -> bytes | None:
        """Return the content of a file."""
        try:
            return (self._path / name).read_bytes()
        except FileNotFoundError:
            return None

    def read_all(self, names: list[str]) -> list[bytes | None]:
        """Return the contents of several files."""
        return [self.read(name) for name in names]

    def write(self, name: str, content: bytes) -> None:
        """Replace a file."""
        replace_file(self._path / name, content)

    @contextlib.contextmanager
    def drafts(self, names: list[str]) -> Iterator[list[Path]]:
        """Return paths in the same file system, so that drafts can be renamed."""
        end = f".{os.getpid()}-{os.urandom(4).hex()}.part"
        paths = [self._path / SHARDS / f"{name}{end}" for name in names]
        try:
            yield paths
        finally:
            for path in paths:
                path.unlink(missing_ok=True)

    def put(self, draft: Path, name: str) -> None:
        """Rename a draft once the disk has it."""
        with draft.open("r+b") as file:
            sync(file.fileno())
        draft.replace(self._path / name)
        sync_folders([self._path])

    def sha256(self, name: str) -> str | None:
        """Return the SHA-256 of a file."""
        try:
            with (self._path / name).open("rb") as file:
                return file_sha256(file)
        except FileNotFoundError:
            return None

    def delete(self, name: str) -> None:
        """Delete a file if it exists."""
        (self._path / name).unlink(missing_ok=True)
