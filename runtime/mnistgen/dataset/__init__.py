"""Write labeled datasets of generated digits that can replace MNIST.

>>> from mnistgen import dataset
>>> dataset.write(mnistgen.load("cgan"), "digits", 60_000)
>>> torchvision.datasets.MNIST("digits", train=True)
"""

import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from mnistgen.dataset.draft import Draft
from mnistgen.dataset.kinds import Kind, find_kind
from mnistgen.dataset.plan import Plan, plan
from mnistgen.dataset.shards.driver import write_manifest, write_shard, write_shards
from mnistgen.dataset.shards.workers import Workers
from mnistgen.errors import MnistgenError, OutputError
from mnistgen.generator import Generator
from mnistgen.validation import check_path

__all__ = ["Workers", "write", "write_manifest", "write_shard", "write_shards"]

Progress = Callable[[str, int, int], None]
"""Called with the step ("Drawing" or "Writing"), the images that are done, and the images in all."""


def write(
    generator: Generator,
    out: str | Path,
    n: int,
    *,
    test: int | float = 1 / 6,
    shares: Sequence[float] | None = None,
    seed: int = 0,
    kind: str = "idx",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write `n` labeled digits into a folder, as a training set and a test set.

    The training set holds the first images of the seed and the test set the last, so no image is in both. The counts of
    each digit are exact (largest remainder), and the order is shuffled by the seed. Equal arguments give equal bytes on
    one provider. Call again with the same arguments to resume. Memory does not grow with `n`.

    Args:
        generator: A model with labels.
        out: The folder.
        n: Number of images in both sets.
        test: Size of the test set: a count, or a share if it is a float.
        shares: Relative frequency of each digit, ten numbers; by default all are equally frequent.
        seed: Seed of the images and of their order.
        kind: "idx" (MNIST's own files, for torchvision.datasets.MNIST), "npz" (Keras' mnist.npz), "png"
            (train/5/000123.png) or "parquet" (needs pyarrow).
        overwrite: Replace a finished dataset, or an unfinished one with other settings.
        progress: Called after each block of images.

    Returns:
        The facts in dataset.json.

    Raises:
        InputError: An argument is invalid, the model has no labels, or `out` holds an unfinished dataset with other
            settings.
        OutputError: `out` cannot be written, or holds a finished dataset.
        MissingPackageError: The kind needs a package that is not installed.
        DeviceError: ONNX Runtime fails.

    >>> facts = dataset.write(mnistgen.load("cgan"), "digits", 70_000, test=10_000)
    """
    folder = check_path("out", out)
    planned = plan(generator, n, test, shares, seed, kind)
    found = find_kind(kind)
    try:
        with closing(Draft(folder, planned.settings(generator), overwrite)) as draft:
            if not draft.whole:
                _make(draft, planned, found, generator, progress)
            return draft.publish()
    except MnistgenError:
        raise
    except OSError as error:
        raise OutputError(
            f"The dataset cannot be written to {out} ({error.strerror or error})",
            code="output-not-writable",
            remedy="Fix the cause and repeat the command to resume",
        ) from error


def _make(draft: Draft, planned: Plan, kind: Kind, generator: Generator, progress: Progress | None) -> None:
    """Draw the images that are missing, build the files of the kind, and record the facts."""
    splits = planned.splits(draft.drawn)
    drawing = _counter(progress, "Drawing", sum(split.drawn() for split in splits), planned.n)
    for split in splits:
        split.draw(generator, drawing)
    facts = {split.name: split.facts() for split in splits}
    if kind.build:
        shutil.rmtree(draft.built, ignore_errors=True)
        draft.built.mkdir()
        writing = _counter(progress, "Writing", 0, planned.n)
        for split in splits:
            kind.build(draft.built, split, writing)
    draft.finish({"command": planned.command(generator), "splits": facts})


def _counter(progress: Progress | None, step: str, done: int, n: int) -> Callable[[int], None]:
    """Return a function that adds a number of images to those `done` and reports the sum."""

    def add(images: int) -> None:
        nonlocal done
        done += images
        if progress:
            progress(step, done, n)

    add(0)
    return add
