"""The thresholds that a model's metrics must meet before the model ships."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from export.graphs.models import FP16, base_model

Metrics = Mapping[str, float]
Baseline = Literal["real_data_baseline", "seed_recipe"]


@dataclass(frozen=True)
class Threshold:
    """A bound on one metric's mean over the sampling seeds."""

    metric: str
    bound: float
    at_most: bool = False
    """Whether the bound is an upper bound; otherwise it is a lower bound."""
    times: Baseline | None = None
    """Baseline that the bound is a multiple of; None if the bound is a value of the metric."""

    @property
    def relation(self) -> str:
        """Return "at most" or "at least"."""
        return "at most" if self.at_most else "at least"

    def limit(self, baselines: Mapping[str, Metrics]) -> float:
        """Return the bound as a value of the metric."""
        return self.bound * baselines[self.times][self.metric] if self.times else self.bound

    def is_met(self, metrics: Metrics, baselines: Mapping[str, Metrics]) -> bool:
        """Return whether the metric meets the bound; NaN never does."""
        value, limit = metrics[self.metric], self.limit(baselines)
        return value <= limit if self.at_most else value >= limit

    def describe_miss(self, metrics: Metrics, baselines: Mapping[str, Metrics]) -> str:
        """Return a message with the metric's value and the bound."""
        origin = f" ({self.bound:g} × {self.times.replace('_', ' ')})" if self.times else ""
        return (
            f"{self.metric} is {metrics[self.metric]:.4g}; expected {self.relation} {self.limit(baselines):.4g}{origin}"
        )


THRESHOLDS = {
    "vae": (
        Threshold("legibility", 0.95),
        Threshold("frechet_distance", 0.2, at_most=True, times="seed_recipe"),
        Threshold("coverage", 0.15),
        Threshold("negative_elbo", 1.0, at_most=True, times="seed_recipe"),
        Threshold("memorization_rate", 0.02, at_most=True),
    ),
    "gan": (
        Threshold("legibility", 0.97),
        Threshold("label_entropy", 3.28),
        Threshold("frechet_distance", 3.0, at_most=True, times="real_data_baseline"),
        Threshold("coverage", 0.8),
        Threshold("recall", 0.8),
        Threshold("memorization_rate", 0.02, at_most=True),
    ),
    "cgan": (
        Threshold("accuracy", 0.993),
        Threshold("worst_class_accuracy", 0.985),
        Threshold("frechet_distance", 2.5, at_most=True, times="real_data_baseline"),
        Threshold("coverage", 0.85),
        Threshold("recall", 0.85),
        Threshold("cas", 0.98),
        Threshold("memorization_rate", 0.02, at_most=True),
    ),
}
"""By float32 model; its variants must meet the same."""
FLOAT16 = Threshold("levels_from_float32", 1, at_most=True)
"""A further threshold of models whose weights are stored as float16."""


def thresholds_of(name: str) -> tuple[Threshold, ...]:
    """Return the thresholds of the model `name`."""
    thresholds = THRESHOLDS[base_model(name)]
    return (*thresholds, FLOAT16) if name.endswith(FP16) else thresholds
