"""A dataset that is being made: a folder within its own, from which an interrupted one is gone on with.

OUT/.unfinished/settings.json    what is being made
OUT/.unfinished/idx/             the digits as they are drawn
OUT/.unfinished/KIND/            what is built of them; once it has a dataset.json, it is whole, and is moved into OUT
OUT/.unfinished/replaced/        what stood in its place

Each file or folder is moved by one rename, dataset.json last: where that stands, the dataset is whole.
"""

import json
import shutil
from pathlib import Path
from typing import IO, Any

from mnistgen.dataset.kinds import KINDS
from mnistgen.errors import InputError, OutputError

_FACTS = "dataset.json"


class Draft:
    """The unfinished dataset of `settings` in the folder `out`: begun, or gone on with where there is one.

    Raises InputError where there is one of other settings, and OutputError where another process is at work, or `out`
    holds a finished dataset, or files that are no dataset's. To `overwrite` replaces datasets, but no other files.
    """

    def __init__(self, out: Path, settings: dict[str, Any], overwrite: bool):
        self._out, self._settings, self._kind = out, settings, settings["kind"]
        self._folder = out / ".unfinished"
        self.drawn = self._folder / "idx" / "MNIST" / "raw"
        """Folder to draw into."""
        self.built = self._folder / self._kind
        """Folder of what shall stand in `out`."""
        if out.exists() and not out.is_dir():
            raise OutputError(f"{out} is a file: name a folder for the dataset.")
        if not any(map(self._is_whole, KINDS)):  # where one is, it was on its way into `out`
            if (self._folder / "replaced").exists():  # where this is, it had arrived there
                shutil.rmtree(self._folder)
            self._check_place(overwrite)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self._folder / "lock", out)
        try:
            self._begin(overwrite)
        except BaseException:
            self.close()
            raise

    @property
    def whole(self) -> bool:
        """Whether all is built, and nothing left to do but to publish it."""
        return self._is_whole(self._kind)

    def finish(self, facts: dict[str, Any]) -> None:
        """Say that all is built, and what else than the settings shall stand in dataset.json."""
        _write_json(self.built / _FACTS, {**self._settings, **facts})

    def publish(self) -> dict[str, Any]:
        """Move what is built into `out`, to replace what stands there; return what dataset.json says."""
        self._move(self._kind)
        self.close()  # as Windows removes no open file
        shutil.rmtree(self._folder, ignore_errors=True)
        return _read_json(self._out / _FACTS)

    def close(self) -> None:
        """Let other processes go on with it."""
        self._lock.close()

    def _is_whole(self, kind: str) -> bool:
        return (self._folder / kind / _FACTS).exists()

    def _check_place(self, overwrite: bool) -> None:
        """See that nothing is in the way that must not be replaced."""
        ours = _names(self._out / _FACTS)
        for name in (_FACTS, *KINDS[self._kind].entries):
            if (self._out / name).exists() and name not in ours:
                raise OutputError(f"{self._out / name} is there, and no dataset of mnistgen's: name another folder.")
        if ours and not overwrite:
            raise OutputError(
                f"{self._out} holds a finished dataset: name another folder, or replace it with --overwrite."
            )

    def _begin(self, overwrite: bool) -> None:
        """Go on with what is there, or begin anew."""
        path = self._folder / "settings.json"
        former = _read_json(path) if path.exists() else {}
        if former != self._settings:
            if path.exists() and not overwrite:
                raise InputError(
                    f"{self._out} holds an unfinished dataset of other settings "
                    f"({_difference(former, self._settings)}): go on with those, name another folder, or begin anew "
                    "with --overwrite."
                )
            for kind in filter(self._is_whole, KINDS):
                self._move(kind)  # since part of it may stand in `out` already
            for folder in (*KINDS, "replaced"):
                shutil.rmtree(self._folder / folder, ignore_errors=True)
            _write_json(path, self._settings)
        if not self.whole:
            self.drawn.mkdir(parents=True, exist_ok=True)

    def _move(self, kind: str) -> None:
        built, replaced = self._folder / kind, self._folder / "replaced"
        replaced.mkdir(exist_ok=True)
        for name in _names(self._out / _FACTS) or _names(replaced / _FACTS):
            is_new = name in KINDS[kind].entries and not (built / name).exists()  # as an interrupted call has moved it
            if (self._out / name).exists() and not is_new:
                (self._out / name).replace(replaced / name)
        for name in (*KINDS[kind].entries, _FACTS):
            if (built / name).exists():
                (built / name).replace(self._out / name)


def _names(facts: Path) -> tuple[str, ...]:
    """The names in the folder of a dataset whose dataset.json is `facts`; none where that is not mnistgen's."""
    kind = str(_read_json(facts).get("kind"))
    return (_FACTS, *KINDS[kind].entries) if kind in KINDS else ()


def _difference(former: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Such as: seed 1, not 2."""
    different = [key for key in wanted if former.get(key) != wanted[key]]
    return "; ".join(f"{key} {former.get(key, 'unknown')}, not {wanted[key]}" for key in different)


def _read_json(path: Path) -> dict[str, Any]:
    """The object in the file; empty where it holds none."""
    try:
        read = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_bytes((json.dumps(content, indent=2) + "\n").encode())
    part.replace(path)


def _lock(path: Path, out: Path) -> IO[bytes]:
    """The file, open, and locked until it is closed; raises OutputError where another process has locked it."""
    file = path.open("wb")
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # Windows has no such locks
        pass
    except BlockingIOError as error:
        file.close()
        raise OutputError(f"Another process writes a dataset to {out}: wait for it, or name another folder.") from error
    return file
