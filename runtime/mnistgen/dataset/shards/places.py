"""Open the folder of shards at a path or an address."""

from pathlib import Path

from mnistgen.dataset.shards.disk import LocalFolder
from mnistgen.dataset.shards.storage import Storage
from mnistgen.validation import check_path


def open_storage(out: str | Path) -> Storage:
    """Return the folder at a path, or at an address such as s3://bucket/digits.

    Raises:
        InputError: `out` is not a path, or the address is of no known kind.
        MissingPackageError: The address needs a package that is not installed.
    """
    if isinstance(out, str) and is_address(out):
        from mnistgen.dataset.shards.remote import RemoteFolder  # lazy: needs an extra

        return RemoteFolder(out)
    return LocalFolder(check_path("out", out))


def is_address(out: str) -> bool:
    """Return whether `out` is an address of an object store instead of a path."""
    return "://" in out
