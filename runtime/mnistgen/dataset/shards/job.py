"""The work of one process: a job describes the dataset, and each answer is one shard's record or an error."""

import json
import platform
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from mnistgen import errors
from mnistgen.dataset.settings import SHARDS, difference, parse_object
from mnistgen.dataset.shards.making import make_shard
from mnistgen.dataset.shards.places import is_address, open_storage
from mnistgen.dataset.shards.plan import ShardPlan, plan_from_settings
from mnistgen.dataset.shards.storage import Storage
from mnistgen.errors import InputError, MnistgenError, OutputError
from mnistgen.generator import Generator
from mnistgen.inference.session import device_of
from mnistgen.manifest import Manifest, artifacts_folder

Answer = dict[str, Any]
"""{"record": …} or {"error": …}, in JSON's types."""
SETTINGS = f"{SHARDS}/settings.json"
"""Name of the file of settings."""


class _Ready(NamedTuple):
    generator: Generator
    planned: ShardPlan
    storage: Storage


def describe(out: str | Path, settings: dict[str, Any], artifacts: Path | None) -> str:
    """Return a job as JSON: other processes read it, also on other computers."""
    place = out if isinstance(out, str) and is_address(out) else str(Path(out).absolute())
    return json.dumps({"out": place, "settings": settings, "artifacts": artifacts and str(artifacts.absolute())})


def answer(job: str, k: int) -> Answer:
    """Make shard `k` of a job; return its record, or the error that stopped it."""
    try:
        ready = _ready(job)
        try:
            return {"record": make_shard(*ready[:2], k, ready.storage)}
        except MnistgenError:
            raise
        except OSError as error:
            raise not_writable(f"Shard {k}", ready.storage, error) from error
    except MnistgenError as error:
        kind = type(error).__name__
        return {"error": {"class": kind, "problem": error.problem, "code": error.code, "remedy": error.remedy}}


def raised(error: dict[str, str]) -> MnistgenError:
    """Return the error of an answer as an exception."""
    cls: type[MnistgenError] = getattr(errors, error["class"])
    return cls(error["problem"], code=error["code"], remedy=error["remedy"])


def not_writable(what: str, storage: Storage, error: OSError) -> OutputError:
    """Return the error for a shard or a dataset that the system cannot write."""
    return OutputError(
        f"{what} cannot be written to {storage} on {platform.node() or 'this computer'} ({error.strerror or error})",
        code="output-not-writable",
        remedy="Fix the cause and repeat the command; finished shards are kept",
    )


@lru_cache(maxsize=1)
def _ready(job: str) -> _Ready:
    """Load the model, on one thread, and check that this process would draw the same pixels."""
    described = json.loads(job)
    settings = described["settings"]
    folder = Path(described["artifacts"]) if described["artifacts"] else artifacts_folder()
    device = device_of(settings["provider"])  # not "auto": no worker may choose another
    generator = Generator(Manifest(folder), settings["model"], device, threads=1)
    planned, storage = plan_from_settings(settings), open_storage(described["out"])
    own = planned.settings(generator)
    if own != settings:
        raise InputError(
            f"The worker on {platform.node()} differs ({difference(own, settings)})",
            code="worker-differs",
            remedy="Install the same versions on all computers",
        )
    try:
        found = parse_object(storage.read(SETTINGS) or b"")
    except OSError as error:
        raise not_writable("The dataset", storage, error) from error
    if found != settings:
        raise OutputError(
            f"{storage} on {platform.node()} is not the folder that the command uses",
            code="output-not-shared",
            remedy="Name a folder that all computers share, or an object store",
        )
    return _Ready(generator, planned, storage)
