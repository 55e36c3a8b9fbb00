"""The marks that a model's digits must reach before the model ships."""

from collections.abc import Mapping
from dataclasses import dataclass

Metrics = Mapping[str, float]


@dataclass(frozen=True)
class Gate:
    """A bound on one metric's mean over the sampling seeds."""

    metric: str
    bound: float
    at_most: bool = False
    """Whether the metric must not exceed the bound; otherwise it must not fall below."""
    times: str = ""
    """What the bound is a multiple of: "floor", "seed recipe", or "" for nothing."""

    @property
    def relation(self) -> str:
        return "at most" if self.at_most else "at least"

    def limit(self, references: Mapping[str, Metrics]) -> float:
        """The bound as a value of the metric."""
        return self.bound * references[self.times][self.metric] if self.times else self.bound

    def passes(self, metrics: Metrics, references: Mapping[str, Metrics]) -> bool:
        """Whether the metric's value keeps the bound; NaN does not."""
        value, limit = metrics[self.metric], self.limit(references)
        return value <= limit if self.at_most else value >= limit

    def words(self, metrics: Metrics, references: Mapping[str, Metrics]) -> str:
        """The metric's value and the bound in words."""
        origin = f" ({self.bound:g} × {self.times})" if self.times else ""
        bound = f"{self.relation} {self.limit(references):.4g}{origin}"
        return f"{self.metric} is {metrics[self.metric]:.4g}, and must be {bound}"


GATES = {
    "vae": (
        Gate("frechet_distance", 0.7, at_most=True, times="seed recipe"),
        Gate("negative_elbo", 1.0, at_most=True, times="seed recipe"),
        Gate("copies", 0.02, at_most=True),
    ),
    "gan": (
        Gate("legibility", 0.97),
        Gate("entropy", 3.28),
        Gate("frechet_distance", 3.0, at_most=True, times="floor"),
        Gate("coverage", 0.8),
        Gate("recall", 0.8),
        Gate("copies", 0.02, at_most=True),
    ),
    "cgan": (
        Gate("accuracy", 0.993),
        Gate("worst_digit", 0.985),
        Gate("frechet_distance", 2.5, at_most=True, times="floor"),
        Gate("coverage", 0.85),
        Gate("recall", 0.85),
        Gate("taught", 0.98),
        Gate("copies", 0.02, at_most=True),
    ),
}
