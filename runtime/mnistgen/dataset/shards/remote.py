"""A folder in an object store or another remote file system, through fsspec."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mnistgen.dataset.settings import SHARDS
from mnistgen.dataset.shards.storage import file_sha256, temporary_drafts
from mnistgen.errors import InputError, MissingPackageError, install_command

_WHOLE_UPLOADS = {"abfs", "abfss", "adl", "az", "gcs", "gs", "memory", "oss", "s3", "s3a"}
"""Protocols under which an upload appears as a whole. For the others, a file is uploaded under another name first."""


class RemoteFolder:
    """A folder at an address such as s3://bucket/digits.

    The file system's own settings (credentials, endpoint) come from its environment variables and files.

    Raises:
        InputError: The protocol is not known.
        MissingPackageError: fsspec, or the package for the protocol, is not installed.
    """

    def __init__(self, address: str):
        self._address = address
        self._fs, root = _opened(address)
        self._root = root.rstrip("/")
        names = self._fs.protocol
        self._uploads_whole = bool(_WHOLE_UPLOADS.intersection((names,) if isinstance(names, str) else names))

    def __str__(self) -> str:
        return self._address

    def prepare(self) -> None:
        """Create the folder; object stores have none."""
        if not self._uploads_whole:
            with _as_oserror():
                self._fs.makedirs(f"{self._root}/{SHARDS}", exist_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Do nothing: object stores have no locks. Two commands with the same settings write the same files."""
        yield

    def clean(self) -> None:
        """Do nothing: drafts are in temporary folders, and an upload that was cut off leaves no file."""

    def sizes(self) -> dict[str, int]:
        """Return the size of each file."""
        with _as_oserror():
            self._fs.invalidate_cache()
            try:
                entries = self._fs.ls(self._root, detail=True)
            except FileNotFoundError:
                return {}
            return {entry["name"].rpartition("/")[2]: entry["size"] for entry in entries if entry["type"] == "file"}

    def read(self, name: str) -> bytes | None:
        """Return the content of a file."""
        with _as_oserror():
            try:
                return bytes(self._fs.cat_file(f"{self._root}/{name}"))
            except FileNotFoundError:
                return None

    def read_all(self, names: list[str]) -> list[bytes | None]:
        """Return the contents of several files, read at the same time if the file system can."""
        paths = [f"{self._root}/{name}" for name in names]
        with _as_oserror():
            found = self._fs.cat(paths, on_error="omit")
        return [found.get(path, found.get(f"/{path}")) for path in paths]

    def write(self, name: str, content: bytes) -> None:
        """Replace a file by one upload."""
        with _as_oserror():
            self._fs.pipe_file(f"{self._root}/{name}", content)

    def drafts(self, names: list[str]) -> contextlib.AbstractContextManager[list[Path]]:
        """Return paths in a temporary folder."""
        return temporary_drafts(names)

    def put(self, draft: Path, name: str) -> None:
        """Upload a draft as a whole."""
        target = f"{self._root}/{name}"
        with _as_oserror():
            if self._uploads_whole:
                self._fs.put_file(str(draft), target)
                return
            part = f"{self._root}/{SHARDS}/{name}.part"
            self._fs.put_file(str(draft), part)
            self._fs.mv(part, target)

    def sha256(self, name: str) -> str | None:
        """Return the SHA-256 of a file, which is read without being stored."""
        with _as_oserror():
            try:
                with self._fs.open(f"{self._root}/{name}", "rb") as file:
                    return file_sha256(file)
            except FileNotFoundError:
                return None

    def delete(self, name: str) -> None:
        """Delete a file if it exists."""
        with _as_oserror(), contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(f"{self._root}/{name}")


def _opened(address: str) -> tuple[Any, str]:
    """Return the file system and the path in it."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise MissingPackageError(
            f"{address} needs fsspec, which cannot be imported ({error})",
            code="package-missing",
            remedy=f"Run {install_command('remote')}",
        ) from error
    try:
        fs, path = url_to_fs(address)
    except ImportError as error:
        raise MissingPackageError(
            f"{address} needs a package of its own ({error})",
            code="package-missing",
            remedy="Install it with pip, such as s3fs for s3://, gcsfs for gs:// and adlfs for az://",
        ) from error
    except ValueError as error:
        raise InputError(
            f"out is {address}; expected a folder, or an address that fsspec knows, such as s3://bucket/digits",
            code="invalid-path",
        ) from error
    return fs, str(path)


@contextlib.contextmanager
def _as_oserror() -> Iterator[None]:
    """Raise exceptions of the file system's own libraries as OSError."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # such as botocore's NoCredentialsError, which is no OSError
        raise OSError(str(error)) from error
