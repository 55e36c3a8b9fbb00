"""What is asked for when a dataset is: checked, counted, and written down."""

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, SupportsIndex

from mnistgen.dataset.labels import apportion
from mnistgen.dataset.split import Split
from mnistgen.errors import InputError
from mnistgen.generator import Generator

MOST = 2**31 - 1
"""Images of a dataset at most: as many as every reader of IDX files can count."""


@dataclass(frozen=True)
class Plan:
    """A dataset to be written."""

    counts: list[int]
    """Images of each digit, in both sets."""
    of_test: list[int]
    """Those of the test set."""
    seed: int
    kind: str

    @property
    def n(self) -> int:
        """Images in all."""
        return sum(self.counts)

    def settings(self, generator: Generator) -> dict[str, Any]:
        """All that the dataset's bytes depend on."""
        from mnistgen import __version__
        from mnistgen.inference.session import version

        return {
            "kind": self.kind,
            "n": self.n,
            "test": sum(self.of_test),
            "digits": self.counts,
            "seed": self.seed,
            "model": generator.model.name,
            "model_sha256": generator.model.sha256,
            "provider": generator.provider,
            "onnxruntime": version(),
            "mnistgen": __version__,
        }

    def splits(self, folder: Path) -> list[Split]:
        """The training set and the test set, to be drawn into `folder`; its images follow the training set's."""
        of_train = [count - tested for count, tested in zip(self.counts, self.of_test, strict=True)]
        return [
            Split("train", folder, of_train, self.seed, 0),
            Split("test", folder, self.of_test, self.seed, sum(of_train)),
        ]

    def command(self, generator: Generator) -> str:
        """What to type to make the dataset again."""
        device = "cpu" if generator.provider.startswith("CPU") else "gpu"
        words = f"mnistgen dataset OUT --n {self.n} --test {sum(self.of_test)} --seed {self.seed} --kind {self.kind}"
        words += f" --model {generator.model.name} --device {device}"
        is_balanced = self.counts == apportion(self.n, [1] * len(self.counts))
        return words if is_balanced else f"{words} --shares {','.join(map(str, self.counts))}"


def plan(generator: Generator, n: int, test: int | float, shares: Sequence[float] | None, seed: int, kind: str) -> Plan:
    """The plan for these arguments of `dataset.write`; raises InputError where they are not possible."""
    classes = generator.model.classes
    if not classes:
        raise InputError(
            f"The {generator.model.name} draws whatever comes, so its digits have no labels: take the cgan."
        )
    generator.stream(n, seed=seed)  # draws nothing, but refuses what `generate` would
    n, seed = operator.index(n), operator.index(seed)
    if n > MOST:
        raise InputError(
            f"{n} digits are too many for one dataset: ask for {MOST} at most, and go on with another seed."
        )
    counts = apportion(n, _fractions(shares, classes))
    return Plan(counts, apportion(_test_size(test, n), counts), seed, kind)


def _fractions(shares: Sequence[float] | None, classes: int) -> list[Fraction]:
    """The shares as the fractions that they look like: 0.1 is a tenth, which no float is."""
    if shares is None:
        return [Fraction(1)] * classes
    try:
        given = [float(share) for share in shares]
        if len(given) == classes and any(given) and all(0 <= share < math.inf for share in given):
            return [Fraction(repr(share)) for share in given]
    except (TypeError, ValueError):
        pass
    raise InputError(
        f"{shares!r} are not the shares of {classes} digits: give {classes} numbers, none negative and not all 0."
    )


def _test_size(test: int | float, n: int) -> int:
    """How many of `n` images are the test set."""
    is_share = isinstance(test, float) and 0 <= test < 1
    size = round(test * n) if is_share else test
    if not isinstance(size, SupportsIndex) or not 0 <= operator.index(size) < n:
        raise InputError(f"{test} is no test set of {n} digits: give a count from 0 to {n - 1}, or a share like 0.1.")
    return operator.index(size)
