"""Quality certificates: metrics over several sampling seeds, with baselines and thresholds."""

from collections.abc import Mapping

from export.graphs.models import base_model
from export.quality.evaluate import Sizes
from export.quality.thresholds import thresholds_of

SEEDS = (0, 1, 2)
"""Sampling seeds that every metric is averaged over."""

Summary = dict[str, dict[str, float]]
"""For each metric its "mean" over SEEDS and its "spread": maximum minus minimum."""
References = Mapping[str, Summary]
"""Metrics of real digits ("real_data_baseline") and of the models trained by the seed recipe (by model name)."""


def summarize(measured: list[dict[str, float]]) -> Summary:
    """Return mean and spread of the metrics of several seeds, rounded to six significant digits."""
    summary = {}
    for name in measured[0]:
        values = [metrics[name] for metrics in measured]
        figures = {"mean": sum(values) / len(values), "spread": max(values) - min(values)}
        summary[name] = {key: float(f"{value:.6g}") for key, value in figures.items()}
    return summary


def means(summary: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each metric."""
    return {metric: figures["mean"] for metric, figures in summary.items()}


def certificate(name: str, summary: Summary, references: References, evaluator: dict, sizes: Sizes) -> dict:
    """Return the certificate of the model `name`: conditions, metrics, thresholds, and the thresholds it misses."""
    metrics = means(summary)
    real = means(references["real_data_baseline"])
    baselines = {"real_data_baseline": real, "seed_recipe": means(references[base_model(name)])}
    thresholds = thresholds_of(name)
    return {
        "evaluator": evaluator,
        "images": sizes.images,
        "cas_images": sizes.cas_images,
        "sampling_seeds": list(SEEDS),
        "metrics": {
            metric: {**figures, **({"real_data_baseline": real[metric]} if metric in real else {})}
            for metric, figures in summary.items()
        },
        "thresholds": {
            each.metric: {each.relation.replace(" ", "_"): float(f"{each.limit(baselines):.6g}")} for each in thresholds
        },
        "missed_thresholds": [
            each.describe_miss(metrics, baselines) for each in thresholds if not each.is_met(metrics, baselines)
        ],
    }
