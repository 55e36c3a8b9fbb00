"""Write a dataset in shards: begin, make the shards, list them in dataset.json."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mnistgen.dataset.settings import FACTS, SHARDS, difference, json_bytes, parse_object
from mnistgen.dataset.shards.events import Event
from mnistgen.dataset.shards.job import SETTINGS, describe, not_writable
from mnistgen.dataset.shards.making import Record, make_shard, read_record, record_name
from mnistgen.dataset.shards.places import open_storage
from mnistgen.dataset.shards.plan import ShardPlan, plan_from_settings, plan_shards
from mnistgen.dataset.shards.storage import Storage
from mnistgen.dataset.shards.workers import Workers
from mnistgen.errors import InputError, MnistgenError, OutputError
from mnistgen.generator import Generator
from mnistgen.inference.session import device_of
from mnistgen.manifest import Manifest, artifacts_folder
from mnistgen.validation import integer

_CORES = Workers()
"""A process for each core of this computer."""
Progress = Callable[[str, int, int], None]


def write_shard(
    generator: Generator,
    out: str | Path,
    n: int,
    k: int,
    *,
    of: int,
    shares: Sequence[float] | None = None,
    seed: int = 0,
    kind: str = "idx",
) -> Record:
    """Write shard `k` of a dataset in `of` shards, unless it is there and its hashes are right.

    Processes on any number of computers may call this at the same time, in any order and repeatedly. The name of a
    shard follows from `k` and `of`, its images from these and `n`, `shares` and `seed`. Each file gets its name when it
    is complete. Call `write_manifest` at the end.

    Args:
        generator: A model with labels.
        out: A folder that all processes share, or an address such as s3://bucket/digits (extra `remote`).
        n: Number of images in all shards.
        k: Number of the shard, from 0 to `of` - 1.
        of: Number of shards.
        shares: Relative frequency of each digit in all shards, ten numbers; by default all are equally frequent.
        seed: Seed of the images and of their order.
        kind: "idx", "npz", "parquet" (needs pyarrow) or "webdataset".

    Returns:
        The record of the shard: index of its first image, number of images, SHA-256 of pixels and labels, files.

    Raises:
        InputError: An argument is invalid, or `out` holds shards with other settings.
        OutputError: `out` cannot be written, or holds another dataset or other files of these names.
        MissingPackageError: The kind or the address needs a package that is not installed.

    >>> record = dataset.write_shard(mnistgen.load("cgan"), "shards", 100, 3, of=4)
    """
    planned = plan_shards(generator, n, of, shares, seed, kind)
    k = integer("k", k, planned.shards, code="invalid-shards")
    storage = open_storage(out)
    try:
        storage.prepare()
        _begin(planned, planned.settings(generator), storage)
        return make_shard(generator, planned, k, storage)
    except MnistgenError:
        raise
    except OSError as error:
        raise not_writable(f"Shard {k}", storage, error) from error


def write_manifest(out: str | Path) -> dict[str, Any]:
    """List all shards in dataset.json, once `write_shard` has written them.

    Returns:
        The facts in dataset.json.

    Raises:
        OutputError: `out` holds no shards, some are missing, or it cannot be written.

    >>> for k in range(4):
    ...     record = dataset.write_shard(mnistgen.load("cgan"), "listed", 100, k, of=4)
    >>> dataset.write_manifest("listed")["shards"]
    4
    """
    storage = open_storage(out)
    try:
        settings = parse_object(storage.read(SETTINGS) or b"")
        if not settings:
            raise OutputError(
                f"{storage} holds no shards", code="dataset-incomplete", remedy="Write them with write_shard"
            )
        return _finish(plan_from_settings(settings), settings, storage)
    except MnistgenError:
        raise
    except OSError as error:
        raise not_writable("dataset.json", storage, error) from error


def write_shards(
    out: str | Path,
    n: int,
    shards: int,
    *,
    shares: Sequence[float] | None = None,
    seed: int = 0,
    kind: str = "idx",
    model: str = "cgan",
    workers: Workers = _CORES,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write a dataset in shards with several processes, and list them in dataset.json.

    The result does not depend on the engine, the number of workers, or lost workers. Call again with the same arguments
    to resume: shards are kept if their hashes are right.

    Args:
        out: As for `write_shard`.
        n: Number of images.
        shards: Number of shards.
        shares: As for `write_shard`.
        seed: As for `write_shard`.
        kind: As for `write_shard`.
        model: A model with labels.
        workers: The processes; by default one for each core of this computer.
        overwrite: Delete shards with other settings first.
        progress: Called with "Drawing", the images that are done, and `n`.

    Returns:
        The facts in dataset.json.

    Raises:
        InputError: An argument is invalid, or `out` holds shards with other settings.
        OutputError: `out` cannot be written, or holds another dataset or other files of these names.
        MissingPackageError: A package is not installed.
        DeviceError: Workers keep dying, or the cluster cannot be reached.

    >>> facts = dataset.write_shards("many", 1000, 4, workers=dataset.Workers(count=1))
    """
    folder = workers.artifacts or artifacts_folder()
    generator = Generator(Manifest(folder), model, workers.device, threads=1)
    planned = plan_shards(generator, n, shards, shares, seed, kind)
    settings, storage = planned.settings(generator), open_storage(out)
    try:
        storage.prepare()
        with storage.locked():
            _begin(planned, settings, storage, overwrite)
            storage.clean()
            job = describe(out, settings, workers.artifacts)
            events = workers.run(job, range(planned.shards), device_of(generator.provider) != "cpu")
            _follow(events, planned, progress, workers.on_loss)
            storage.clean()
            return _finish(planned, settings, storage, planned.command(generator))
    except MnistgenError:
        raise
    except OSError as error:
        raise not_writable("The dataset", storage, error) from error


def _follow(
    events: Iterator[Event], planned: ShardPlan, progress: Progress | None, on_loss: Callable[[int], None] | None
) -> None:
    """Run the engine to its end, and report what happens."""
    done = 0
    if progress:
        progress("Drawing", done, planned.n)
    try:
        for k, record in events:
            if record:
                done += record["n"]
                if progress:
                    progress("Drawing", done, planned.n)
            elif on_loss:
                on_loss(k)
    finally:
        events.close()  # type: ignore[attr-defined]  # a generator; ends its workers


def _begin(planned: ShardPlan, settings: dict[str, Any], storage: Storage, overwrite: bool = False) -> None:
    """Write the settings, or compare them with those that are there.

    Raises:
        InputError: There are others.
        OutputError: There are files of the same names that are not shards.
    """
    # First the names, then the settings: another process may be writing the settings and then the first shards.
    names = set(storage.sizes())
    content = storage.read(SETTINGS)
    former = parse_object(content or b"")
    if former == settings:
        return
    if content is not None:
        if not overwrite:
            raise InputError(
                f"{storage} holds shards with other settings ({difference(former, settings)})",
                code="dataset-settings-mismatch",
                remedy="Resume with its settings, name another folder, or start again with --overwrite",
            )
        names -= _delete(former, storage, names)
    for name in (FACTS, *(name for k in range(planned.shards) for name in planned.files(k))):
        if name in names:
            raise OutputError(
                f"{storage}/{name} exists and is not a shard of this dataset",
                code="output-exists",
                remedy="Name another folder",
            )
    storage.write(SETTINGS, json_bytes(settings))


def _delete(former: dict[str, Any], storage: Storage, names: set[str]) -> set[str]:
    """Delete the dataset with these settings, which come last, so that a cut does not leave foreign files."""
    try:
        planned = plan_from_settings(former)
        ours = [FACTS, *(name for k in range(planned.shards) for name in planned.files(k))]
        records = [record_name(planned, k) for k in range(planned.shards)]
    except (KeyError, TypeError) as error:  # damaged
        raise OutputError(
            f"{storage}/{SHARDS} is damaged", code="dataset-damaged", remedy="Delete the folder, or name another one"
        ) from error
    for name in [*(name for name in ours if name in names), *records, SETTINGS]:
        storage.delete(name)
    return set(ours)


def _finish(
    planned: ShardPlan, settings: dict[str, Any], storage: Storage, command: str | None = None
) -> dict[str, Any]:
    """Check that all shards are there, and write dataset.json."""
    contents = storage.read_all([record_name(planned, k) for k in range(planned.shards)])
    records = [read_record(planned, k, content) for k, content in enumerate(contents)]
    sizes = storage.sizes()
    missing = [k for k, record in enumerate(records) if not record or not _is_there(record, sizes)]
    if missing:
        raise OutputError(
            f"{storage} lacks {len(missing)} of {planned.shards} shards ({', '.join(map(str, missing[:10]))})",
            code="dataset-incomplete",
            remedy="Write them, and repeat this step",
        )
    whole = [record for record in records if record]
    digest = hashlib.sha256("".join(record["sha256"] for record in whole).encode()).hexdigest()
    facts = {
        **settings,
        **({"command": command} if command else {}),
        "sha256": digest,
        "processors": sorted({str(record.pop("processor", "")) for record in whole}),
        "files": whole,
    }
    storage.write(FACTS, json_bytes(facts))
    return facts


def _is_there(record: Record, sizes: dict[str, int]) -> bool:
    return all(sizes.get(name) == facts["bytes"] for name, facts in record["files"].items())
