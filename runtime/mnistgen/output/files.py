"""Write files atomically (contract C6), and lock folders.

The content goes to a temporary file next to the target, which is then renamed. A rename is atomic: at any time, the
target holds either its old content or all of the new one, even if the disk is full, the process is killed or the power
fails. The temporary file has a random name and is created with O_EXCL, so no other process can have prepared it.
`training/files.py` does the same for training and export, because the packages do not import each other.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from mnistgen.errors import OutputError

_MANY = 100
"""From this number of files on, one sync of all file systems is faster than one of each file."""


class File(NamedTuple):
    """A file to write, and the command's option that names it."""

    path: Path
    content: bytes
    option: str = "--out"


def write_whole(path: Path, content: bytes, option: str = "--out") -> None:
    """Replace the file at `path` by `content`, or leave it as it was. Devices and named pipes are written directly.

    Raises:
        OutputError: The file cannot be written; the remedy names the command's `option`.
    """
    with written_together(File(path, content, option)):
        pass


@contextlib.contextmanager
def written_together(*files: File) -> Iterator[None]:
    """Write all files or none. The body runs when all contents are on the disk; if it fails, no file is replaced.

    Raises:
        OutputError: A file cannot be written; the remedy names its option.
    """
    parts: dict[Path, Path] = {}  # temporary file by target
    with _deleted(parts):
        for file in files:
            with _reported(file):
                if not _is_special(file.path):
                    target = Path(os.path.realpath(file.path))  # keep a symbolic link and replace its target
                    parts[target] = temporary_name(target)
                    write_new(parts[target], file.content, target)
        yield
        for file in files:
            with _reported(file):
                if _is_special(file.path):
                    file.path.write_bytes(file.content)
        for file in files:
            with _reported(file):
                target = Path(os.path.realpath(file.path))
                if target in parts:
                    parts[target].replace(target)
    sync_folders(target.parent for target in parts)


def replace_file(path: Path, content: bytes) -> None:
    """Replace the file at `path` by `content`, or leave it as it was; raise OSError if it cannot be written."""
    parts = {path: temporary_name(path)}
    with _deleted(parts):
        write_new(parts[path], content, path)
        parts[path].replace(path)
    sync_folders([path.parent])


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


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder against other calls of this function. Windows and some network file systems have no such locks.

    Raises:
        BlockingIOError: Another process has locked it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            pass  # this file system cannot lock folders
        yield
    finally:
        os.close(descriptor)


def temporary_name(target: Path) -> Path:
    """Return a name next to `target` that nobody can guess."""
    return target.with_name(f".mnistgen-{os.urandom(8).hex()}.part")


def write_new(path: Path, content: bytes, target: Path) -> None:
    """Create the file, with the mode and owner of `target` if that exists, and wait until the disk has it."""
    with path.open("xb") as file:  # O_EXCL: fails if there is such a file or symbolic link
        if os.name == "posix" and target.exists():
            former = target.stat()
            for user in (former.st_uid, -1):  # the group may be kept even if the user may not
                with contextlib.suppress(OSError):
                    os.fchown(file.fileno(), user, former.st_gid)
            with contextlib.suppress(OSError):  # not every file system has modes
                os.fchmod(file.fileno(), stat.S_IMODE(former.st_mode) & 0o777)
        file.write(content)
        file.flush()
        sync(file.fileno())


def sync(descriptor: int) -> None:
    """Wait until the disk has the content of an open file."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # this file system cannot
            raise


def sync_folders(folders: Iterable[Path]) -> None:
    """Wait until the disk has the names in the folders, where the system supports this."""
    if os.name == "nt":  # Windows cannot open folders
        return
    for folder in set(folders):
        with contextlib.suppress(OSError):  # the files are in place
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Wait until the disk has all files and folders in a folder."""
    paths = [folder, *folder.rglob("*")]
    if len(paths) > _MANY and hasattr(os, "sync"):
        os.sync()  # faster than thousands of calls
        return
    for path in paths:
        if path.is_file():
            with path.open("r+b") as file:
                sync(file.fileno())
    sync_folders(path for path in paths if path.is_dir())


@contextlib.contextmanager
def _deleted(parts: dict[Path, Path]) -> Iterator[None]:
    """Delete the temporary files at the end, and if SIGTERM ends the process."""
    import signal  # lazy: only writing needs it

    def delete() -> None:
        for part in parts.values():
            with contextlib.suppress(OSError):  # if it cannot be deleted, it could not be created
                part.unlink(missing_ok=True)

    def end(number: int, frame: object) -> None:
        delete()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    with contextlib.ExitStack() as stack:
        stack.callback(delete)
        if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
            with contextlib.suppress(ValueError):  # not the main thread
                signal.signal(signal.SIGTERM, end)
                stack.callback(signal.signal, signal.SIGTERM, signal.SIG_DFL)
        yield


@contextlib.contextmanager
def _reported(file: File) -> Iterator[None]:
    """Turn an OSError into an OutputError for the file."""
    try:
        yield
    except OSError as error:
        raise _not_writable(file.path, error.strerror or str(error), file.option) from error


def _is_special(path: Path) -> bool:
    """Return whether the path is something else than a file: a device or a named pipe, or a folder by mistake."""
    return path.exists() and not path.is_file()


def _not_writable(path: Path, reason: str | None, option: str) -> OutputError:
    return OutputError(
        f"{path} cannot be written ({reason})",
        code="output-not-writable",
        remedy=f"Name another file with {option}",
    )
