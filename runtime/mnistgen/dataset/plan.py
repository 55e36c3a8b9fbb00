"""Validate the arguments of a dataset and compute its counts."""

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
from mnistgen.inference.session import device_of
from mnistgen.request import Request
from mnistgen.validation import shown

MOST = 2**31 - 1
"""Maximum number of images: a signed 32-bit integer, which every reader of IDX files can hold."""


@dataclass(frozen=True)
class Plan:
    """A dataset to write."""

    counts: list[int]
    """Images of each digit in both sets."""
    test_counts: list[int]
    """Images of each digit in the test set."""
    seed: int
    kind: str

    @property
    def n(self) -> int:
        """Number of images in both sets."""
        return sum(self.counts)

    def settings(self, generator: Generator) -> dict[str, Any]:
        """Return everything that the dataset's bytes depend on."""
        from mnistgen import __version__
        from mnistgen.inference.session import version

        return {
            "kind": self.kind,
            "n": self.n,
            "test": sum(self.test_counts),
            "digits": self.counts,
            "seed": self.seed,
            "model": generator.model.name,
            "model_sha256": generator.model.sha256,
            "provider": generator.provider,
            "onnxruntime": version(),
            "mnistgen": __version__,
        }

    def splits(self, folder: Path) -> list[Split]:
        """Return the training set and the test set, drawn into `folder`; the test images follow the training images."""
        train_counts = [count - test for count, test in zip(self.counts, self.test_counts, strict=True)]
        return [
            Split("train", folder, train_counts, self.seed, 0),
            Split("test", folder, self.test_counts, self.seed, sum(train_counts)),
        ]

    def command(self, generator: Generator) -> str:
        """Return the command that writes the dataset again."""
        words = (
            f"mnistgen dataset OUT --n {self.n} --test {sum(self.test_counts)} --seed {self.seed} --kind {self.kind}"
        )
        words += f" --model {generator.model.name} --device {device_of(generator.provider)}"
        is_balanced = self.counts == apportion(self.n, [1] * len(self.counts))
        return words if is_balanced else f"{words} --shares {','.join(map(str, self.counts))}"


def plan(generator: Generator, n: int, test: int | float, shares: Sequence[float] | None, seed: int, kind: str) -> Plan:
    """Return the plan for these arguments of `dataset.write`; raise InputError if one is invalid."""
    classes = generator.model.classes
    if not classes:
        raise InputError(
            f"The {generator.model.name} is unconditional, so its images have no labels",
            code="model-unconditional",
            remedy="Use the cgan",
        )
    request = Request.validate(generator.model, n, None, seed, 0)
    n, seed = request.n, request.seed
    if n > MOST:
        raise InputError(
            f"n is {n}; expected at most {MOST} in one dataset",
            code="too-large",
            remedy="Continue with another seed in another folder",
        )
    counts = apportion(n, _fractions(shares, classes))
    return Plan(counts, apportion(_test_size(test, n), counts), seed, kind)


def _fractions(shares: Sequence[float] | None, classes: int) -> list[Fraction]:
    """Return the shares as exact fractions of their decimal digits: 0.1 is a tenth, which no float is."""
    if shares is None:
        return [Fraction(1)] * classes
    try:
        given = [float(share) for share in shares]
        if len(given) == classes and any(given) and all(0 <= share < math.inf for share in given):
            return [Fraction(repr(share)) for share in given]
    except (TypeError, ValueError, OverflowError):
        pass
    raise InputError(
        f"shares is {shown(shares)}; expected {classes} numbers, none negative and not all 0", code="invalid-shares"
    )


def _test_size(test: int | float, n: int) -> int:
    """Return the number of test images among `n`."""
    is_share = isinstance(test, float) and 0 <= test < 1
    size = round(test * n) if is_share else test
    if not isinstance(size, SupportsIndex) or not 0 <= operator.index(size) < n:
        raise InputError(
            f"test is {shown(test)}; expected a count from 0 to {n - 1}, or a share such as 0.1",
            code="invalid-test-size",
        )
    return operator.index(size)
