"""The configuration of a training: of a new one, or as saved in its checkpoint; and whether its shards fit."""

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from training import checkpoint
from training.changes import Changes, checked, name_of
from training.data import epoch_size
from training.errors import TrainingError
from training.trainer import Config

_MNIST = 60_000
"""Number of images in the training set."""


def check_shards(config: Config, processes: int) -> None:
    """Check that the shards can be shared by this number of processes, and that each has at least two images.

    Raises:
        TrainingError: If not.
    """
    shards, batch = config.shards, config.batch_size
    if shards % processes:
        raise TrainingError(
            f"--shards is {shards}; expected a multiple of {processes}, the number of processes. Start as many "
            f"processes as divide it, or a new training with --shards {processes}."
        )
    if batch % shards or batch < 2 * shards:
        nearest = max(2, round(batch / shards)) * shards
        raise TrainingError(
            f"--batch-size is {batch}; expected a multiple of {shards}, the number of shards, with at least 2 images "
            f"for each. Use --batch-size {nearest}, or another --shards."
        )
    if not epoch_size(config.limit or _MNIST, batch, shards):
        raise TrainingError(
            f"--limit is {config.limit}; expected at least {2 * shards}, 2 images for each shard. Use a larger --limit."
        )


def resumed_config(configs: Mapping[str, Config], given: dict, changes: Changes, state: dict, out: Path) -> Config:
    """Return the configuration of the training to resume, of which only the number of epochs may change."""
    model = next(iter(configs.values())).model
    done = len(checkpoint.read_log(state, out).epochs)
    try:
        found = str(state["config"]["model"])
        defaults = None if found != model else configs[state["config"]["recipe"]]
        saved = None if defaults is None else replace(defaults, **state["config"])
    except (AttributeError, KeyError, TypeError) as error:
        raise checkpoint.invalid_state(out) from error
    if defaults is None and found.isidentifier():
        raise TrainingError(
            f"The training in {out} is of model {found[:40]}; expected {model}. Name the folder of the {model} with "
            f"--out."
        )
    if defaults is None or not _is_valid(saved, defaults):
        raise checkpoint.invalid_state(out)
    for name, value in {**given, **checked(saved, changes)}.items():
        if name != "epochs" and getattr(saved, name) != value:
            raise TrainingError(
                f"{name_of(name)} is {value}; expected {getattr(saved, name)}, as in the training to resume. Leave "
                f"this option out, or start a new training in another folder with --out."
            )
    config = replace(saved, epochs=given.get("epochs", saved.epochs))
    if config.epochs < done:
        raise TrainingError(
            f"--epochs is {config.epochs}; expected at least {done}, the number of finished epochs. Leave this option "
            f"out, or give a larger number."
        )
    return config


def _is_valid(config: Config, defaults: Config) -> bool:
    """Return whether the values of a configuration from a file have the types of `defaults`, and are possible."""
    for name, default in asdict(defaults).items():
        value = getattr(config, name)
        if name == "limit":
            valid = value is None or (type(value) is int and value >= 2)
        elif isinstance(default, float):
            valid = type(value) in (int, float) and math.isfinite(value)
        else:
            valid = type(value) is type(default)
        if not valid:
            return False
    return config.epochs >= 1 and config.batch_size >= 2 and config.shards >= 1 and 0 <= config.seed < 2**63
