"""Atomic replacement of files, and locks of folders. `mnistgen/output/files.py` does the same for the runtime."""

import contextlib
import errno
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

_PART = ".mnistgen-training-*.part"
"""Names of temporary files; mnistgen's own differ, because they are written without a lock."""


def replace_files(contents: dict[Path, bytes]) -> None:
    """Write each file, so that its path always holds the complete old or the complete new content.

    All new files are written and synced next to their targets first. Then each is renamed to its target, in the given
    order. Temporary files have random names and are created with O_EXCL, so no other process can have prepared them.

    Raises:
        OSError: If a file cannot be written. All paths keep their old content.
    """
    for path in contents:
        if path.is_dir():  # must be found out before the first file is renamed
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    targets = {path: Path(os.path.realpath(path)) for path in contents}  # keep symbolic links and replace their targets
    parts = {path: target.with_name(_PART.replace("*", os.urandom(8).hex())) for path, target in targets.items()}
    with _deleted(list(parts.values())):
        for path, part in parts.items():
            _write_new(part, contents[path], targets[path])
        for path, part in parts.items():
            part.replace(targets[path])
    for folder in {target.parent for target in targets.values()}:
        _sync_folder(folder)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Create the folder and lock it against other calls; at the end, remove it if it is empty.

    Temporary files that a killed process left in it are deleted.

    Windows and some network file systems have no such locks.

    Raises:
        BlockingIOError: Another process has locked it.
        OSError: It cannot be created or opened.
    """
    folder.mkdir(parents=True, exist_ok=True)
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
        else:
            for pattern in (_PART, f"*/{_PART}"):  # of a process that was killed
                for part in folder.glob(pattern):
                    part.unlink(missing_ok=True)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # it is not empty
                folder.rmdir()
    finally:
        os.close(descriptor)


def _write_new(path: Path, content: bytes, target: Path) -> None:
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
        _sync(file.fileno())


def _sync(descriptor: int) -> None:
    """Wait until the disk has the content of an open file."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # this file system cannot
            raise


def _sync_folder(folder: Path) -> None:
    """Flush renames in `folder` to the disk."""
    if os.name == "nt":  # Windows cannot open folders
        return
    with contextlib.suppress(OSError):  # the files are in place
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _deleted(parts: list[Path]) -> Iterator[None]:
    """Delete the temporary files at the end, and if SIGTERM ends the process."""

    def delete() -> None:
        for part in parts:
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
