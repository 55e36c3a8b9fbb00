"""Which images are in which shard of a dataset, and everything that they depend on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mnistgen.dataset.kinds import check_package
from mnistgen.dataset.labels import Labels
from mnistgen.dataset.plan import Plan
from mnistgen.dataset.plan import plan as plan_dataset
from mnistgen.dataset.shards.formats import FORMATS
from mnistgen.errors import InputError
from mnistgen.generator import Generator
from mnistgen.validation import integer, shown

MOST_SHARDS = 100_000
"""Maximum number of shards; the manifest lists them all."""


@dataclass(frozen=True)
class ShardPlan(Plan):
    """A dataset without a test set, in shards of about the same size."""

    shards: int

    def bounds(self, k: int) -> tuple[int, int]:
        """Return the index of the first image of shard `k`, and of the first image after it."""
        return self.n * k // self.shards, self.n * (k + 1) // self.shards

    def labels(self) -> Labels:
        """Return the labels in the order of the dataset: those of the training set of `mnistgen dataset --test 0`."""
        return Labels(self.counts, self.seed, stream=0)

    def files(self, k: int) -> list[str]:
        """Return the names of the files of shard `k`."""
        return [f"train-{self.id(k)}{suffix}" for suffix in FORMATS[self.kind].suffixes]

    def id(self, k: int) -> str:
        """Return the number of a shard as part of a name, such as 00003-of-00100."""
        return f"{k:05}-of-{self.shards:05}"

    def settings(self, generator: Generator) -> dict[str, Any]:
        """Return everything that the pixels and labels depend on."""
        settings = super().settings(generator)
        del settings["test"]
        return {"shards": self.shards, **settings}

    def command(self, generator: Generator) -> str:
        """Return the command that writes the dataset again."""
        words = super().command(generator).replace(" --test 0", "")
        return f"{words} --shards {self.shards}"


def plan_shards(
    generator: Generator, n: int, shards: int, shares: Sequence[float] | None, seed: int, kind: str
) -> ShardPlan:
    """Return the plan for these arguments.

    Raises:
        InputError: One is invalid.
        MissingPackageError: The kind needs a package that is not installed.
    """
    planned = plan_dataset(generator, n, 0, shares, seed, kind)
    shards = integer("shards", shards, MOST_SHARDS + 1, least=1, code="invalid-shards")
    if shards > planned.n:
        raise InputError(
            f"shards is {shards}; expected at most n, which is {planned.n}",
            code="invalid-shards",
            remedy="Each shard holds at least one image",
        )
    if not isinstance(kind, str) or kind not in FORMATS:
        raise InputError(f"kind is {shown(kind)}; expected one of {', '.join(FORMATS)} for shards", code="unknown-kind")
    package = FORMATS[kind].package
    if package:
        check_package(kind, package)
    return ShardPlan(planned.counts, planned.test_counts, planned.seed, kind, shards)


def plan_from_settings(settings: dict[str, Any]) -> ShardPlan:
    """Return the plan with these settings, which another process has validated."""
    counts = settings["digits"]
    return ShardPlan(counts, [0] * len(counts), settings["seed"], settings["kind"], settings["shards"])
