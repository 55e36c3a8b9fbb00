"""A quality certificate: metrics over several seeds, beside what real digits reach, and the marks that were kept."""

from collections.abc import Mapping

from export.graphs.models import original
from export.quality.evaluate import Sizes
from export.quality.thresholds import GATES

SEEDS = (0, 1, 2)
"""Sampling seeds that every metric is averaged over."""

Summary = dict[str, dict[str, float]]
"""Of each metric "mean" and "spread", the largest less the smallest over SEEDS."""
References = Mapping[str, Summary]
"""What real digits ("floor") and each model of the seed recipe (by name) reach."""


def summarised(measured: list[dict[str, float]]) -> Summary:
    """The metrics of several seeds as one summary, to six significant digits."""
    summary = {}
    for name in measured[0]:
        values = [metrics[name] for metrics in measured]
        figures = {"mean": sum(values) / len(values), "spread": max(values) - min(values)}
        summary[name] = {key: float(f"{value:.6g}") for key, value in figures.items()}
    return summary


def certificate(name: str, summary: Summary, references: References, reader: dict, sizes: Sizes) -> dict:
    """The certificate of the model `name`: how it was measured, its metrics, the marks, and in words those missed."""
    name = original(name)
    means = {
        title: {metric: figures["mean"] for metric, figures in of.items()}
        for title, of in (
            ("floor", references["floor"]),
            ("seed recipe", references[name]),
            ("model", summary),
        )
    }
    gates = GATES[name]
    return {
        "reader": reader,
        "images": sizes.images,
        "taught_images": sizes.taught,
        "sampling_seeds": list(SEEDS),
        "metrics": {metric: {**figures, **_floor(metric, means)} for metric, figures in summary.items()},
        "gates": {gate.metric: {gate.relation.replace(" ", "_"): float(f"{gate.limit(means):.6g}")} for gate in gates},
        "missed": [gate.words(means["model"], means) for gate in gates if not gate.passes(means["model"], means)],
    }


def _floor(metric: str, means: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    return {"floor": means["floor"][metric]} if metric in means["floor"] else {}
