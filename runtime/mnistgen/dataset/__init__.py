"""Labelled datasets of generated digits, to take the place of MNIST.

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
from mnistgen.dataset.kinds import named
from mnistgen.dataset.plan import plan
from mnistgen.errors import MnistgenError, OutputError
from mnistgen.generator import Generator

Progress = Callable[[str, int, int], None]
"""Is told what is done ("Drawing" or "Writing"), to how many images it has been done so far, and to how many in all."""


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
    """Write `n` labelled digits of `seed` into the folder `out`; return the facts that stand in its dataset.json.

    `test` of them are the test set: a count, or, as a float, a share. It holds the last images of the seed and the
    training set the first, so no image is in both. `shares` gives each digit's share, ten numbers of any sum; without
    them all digits are as frequent. Counts are exact, by largest remainder; the order is shuffled by the seed.

    `kind` is "idx" (MNIST's own files, for torchvision.datasets.MNIST), "npz" (Keras' mnist.npz), "png"
    (train/5/000123.png) or "parquet" (needs pyarrow). The same arguments give the same bytes on one provider. An
    interrupted call is gone on with by the same call. Memory does not grow with `n`.

    Raises InputError for impossible values, for a model without labels, and where `out` holds an unfinished dataset of
    other settings; OutputError where it cannot be written, or holds a finished dataset, which only `overwrite`
    replaces; MissingPackageError; DeviceError.

    >>> facts = dataset.write(mnistgen.load("cgan"), "digits", 70_000, test=10_000)
    """
    planned = plan(generator, n, test, shares, seed, kind)
    build = named(kind).build
    try:
        with closing(Draft(Path(out), planned.settings(generator), overwrite)) as draft:
            if not draft.whole:
                splits = planned.splits(draft.drawn)
                drawing = _counter(progress, "Drawing", sum(split.drawn() for split in splits), planned.n)
                for split in splits:
                    split.draw(generator, drawing)
                if build:
                    shutil.rmtree(draft.built, ignore_errors=True)
                    draft.built.mkdir()
                    writing = _counter(progress, "Writing", 0, planned.n)
                    for split in splits:
                        build(draft.built, split, writing)
                facts = {split.name: split.facts() for split in splits}
                draft.finish({"command": planned.command(generator), "splits": facts})
            return draft.publish()
    except MnistgenError:
        raise
    except OSError as error:
        raise OutputError(
            f"The dataset cannot be written to {out} ({error.strerror or error}): mend that and give the same "
            "command again, which then goes on with what is there."
        ) from error


def _counter(progress: Progress | None, what: str, done: int, n: int) -> Callable[[int], None]:
    """A function to call with images that have been added to those `done`."""

    def add(images: int) -> None:
        nonlocal done
        done += images
        if progress:
            progress(what, done, n)

    add(0)
    return add
