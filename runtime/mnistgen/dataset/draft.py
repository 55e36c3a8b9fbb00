"""A dataset in progress: a folder inside its target folder, from which an interrupted one is resumed.

OUT/.unfinished/settings.json    what is being written
OUT/.unfinished/idx/             images as they are drawn, and hashes of their blocks
OUT/.unfinished/KIND/            files built from them; complete once it holds dataset.json; then moved into OUT
OUT/.unfinished/replaced/        the dataset that was in OUT before

Each file or folder is moved by one rename, dataset.json last. So if OUT holds dataset.json, the dataset is complete.
OUT itself is locked before anything in it is read, and until .unfinished is deleted.
"""

import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mnistgen.dataset.kinds import KINDS
from mnistgen.dataset.settings import FACTS, SHARDS, difference, json_bytes, parse_object
from mnistgen.errors import InputError, OutputError
from mnistgen.output.files import locked, replace_file, sync_folders, sync_tree


class Draft:
    """The unfinished dataset in a folder: a new one, or one to resume.

    Args:
        out: Target folder.
        settings: Everything that the dataset's bytes depend on.
        overwrite: Replace datasets in `out`, but no other files.

    Raises:
        InputError: `out` holds an unfinished dataset with other settings.
        OutputError: Another process is writing to `out`, or it holds a finished dataset or other files of these names.
    """

    def __init__(self, out: Path, settings: dict[str, Any], overwrite: bool):
        self._out, self._settings, self._kind = out, settings, settings["kind"]
        self._folder = out / ".unfinished"
        self.drawn = self._folder / "idx"
        """Folder for the images as they are drawn."""
        self.built = self._folder / self._kind
        """Folder of the files to move into `out`."""
        if out.exists() and not out.is_dir():
            raise OutputError(f"{out} is a file; expected a folder", code="output-not-a-folder")
        out.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            lock(out, stack)
            if self._folder.is_symlink():
                raise OutputError(
                    f"{self._folder} is a symbolic link; expected a folder",
                    code="output-exists",
                    remedy="Delete the link",
                )
            if (out / SHARDS).exists():
                raise OutputError(
                    f"{out} holds a dataset in shards", code="dataset-exists", remedy="Name another folder"
                )
            if not any(map(self._is_whole, KINDS)):  # else one was being moved into `out`
                if (self._folder / "replaced").exists():  # the move was complete
                    shutil.rmtree(self._folder)
                self._check_place(overwrite)
            self._folder.mkdir(exist_ok=True)
            self._begin(overwrite)
            self._locks = stack.pop_all()

    @property
    def whole(self) -> bool:
        """Whether everything is built and only has to be moved."""
        return self._is_whole(self._kind)

    def finish(self, facts: dict[str, Any]) -> None:
        """Mark the files as complete, with these facts, besides the settings, in dataset.json."""
        sync_tree(self.built)
        _write_json(self.built / FACTS, {**self._settings, **facts})

    def publish(self) -> dict[str, Any]:
        """Move the files into `out`, replacing a former dataset; return the facts in dataset.json."""
        self._move(self._kind)
        shutil.rmtree(self._folder, ignore_errors=True)
        return _read_json(self._out / FACTS)

    def close(self) -> None:
        """Unlock the folder for other processes."""
        self._locks.close()

    def _is_whole(self, kind: str) -> bool:
        return (self._folder / kind / FACTS).exists()

    def _check_place(self, overwrite: bool) -> None:
        """Raise OutputError if `out` holds something that must not be replaced."""
        ours = _names(self._out / FACTS)
        for name in (FACTS, *KINDS[self._kind].entries):
            if (self._out / name).exists() and name not in ours:
                raise OutputError(
                    f"{self._out / name} exists and is not a dataset of mnistgen",
                    code="output-exists",
                    remedy="Name another folder",
                )
        if ours and not overwrite:
            raise OutputError(
                f"{self._out} holds a finished dataset",
                code="dataset-exists",
                remedy="Name another folder, or replace it with --overwrite",
            )

    def _begin(self, overwrite: bool) -> None:
        """Resume, or start from the beginning."""
        path = self._folder / "settings.json"
        former = _read_json(path) if path.exists() else {}
        if former != self._settings:
            if path.exists() and not overwrite:
                raise InputError(
                    f"{self._out} holds an unfinished dataset with other settings "
                    f"({difference(former, self._settings)})",
                    code="dataset-settings-mismatch",
                    remedy="Resume with its settings, name another folder, or start again with --overwrite",
                )
            for kind in filter(self._is_whole, KINDS):
                self._move(kind)  # part of it may be in `out` already
            for folder in (*KINDS, "replaced"):
                shutil.rmtree(self._folder / folder, ignore_errors=True)
            _write_json(path, self._settings)
        if not self.whole:
            self.drawn.mkdir(parents=True, exist_ok=True)

    def _move(self, kind: str) -> None:
        built, replaced = self._folder / kind, self._folder / "replaced"
        replaced.mkdir(exist_ok=True)
        for name in _names(self._out / FACTS) or _names(replaced / FACTS):
            is_new = name in KINDS[kind].entries and not (built / name).exists()  # moved by an interrupted call
            if (self._out / name).exists() and not is_new:
                (self._out / name).replace(replaced / name)
        for name in KINDS[kind].entries:
            if (built / name).exists():
                (built / name).replace(self._out / name)
        sync_folders([self._out])
        if (built / FACTS).exists():
            (built / FACTS).replace(self._out / FACTS)
        sync_folders([self._out])


def _names(facts: Path) -> tuple[str, ...]:
    """Return the names of the files of the dataset with this dataset.json; none if it is not a dataset of mnistgen."""
    read = _read_json(facts)
    kind = str(read.get("kind"))
    return (FACTS, *KINDS[kind].entries) if kind in KINDS and "shards" not in read else ()


def _read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in the file; empty if it holds none."""
    try:
        return parse_object(path.read_bytes())
    except FileNotFoundError:
        return {}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    replace_file(path, json_bytes(content))


def lock(out: Path, stack: ExitStack) -> None:
    """Lock the folder until the stack is closed; raise OutputError if another process has locked it."""
    try:
        stack.enter_context(locked(out))
    except BlockingIOError as error:
        raise OutputError(
            f"Another process is writing a dataset to {out}",
            code="dataset-locked",
            remedy="Wait for it, or name another folder",
        ) from error
