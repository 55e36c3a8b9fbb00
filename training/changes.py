"""Changes of a recipe's numbers on the command line: `--set gamma=0.5`."""

from collections.abc import Mapping
from dataclasses import asdict

import click

from training.trainer import Config

Changes = Mapping[str, int | float]
"""New values by the name of the field."""
_OPTIONS = ("epochs", "batch_size", "seed", "limit", "shards", "recipe")
"""Fields of a configuration that have an option of their own."""
_RANGES = {
    "ema_decay": (0, 1),
    "lazy_probability": (0, 1),
    "temperature": (0.001, 1000),
    "feature_temperature": (0.001, 1000),
    "latent_scale": (0.001, 1000),
    "label_contrast": (0.001, 1000),
}
"""Smallest and largest value of a field, if it is not in _RANGE."""
_RANGE = (0, 1_000_000)


class Change(click.ParamType):
    """A new value of a recipe's number, NAME=VALUE."""

    name = "name=value"

    def convert(
        self, value: str, parameter: click.Parameter | None, context: click.Context | None
    ) -> tuple[str, int | float]:
        """Return the name and the number, an integer if it is written as one."""
        name, _, text = value.partition("=")
        try:
            return name, int(text) if text.isdecimal() else float(text)
        except ValueError:
            self.fail(f"{value[:80]!r}; expected NAME=VALUE with a number, such as learning_rate=0.001.")


def checked(config: Config, changes: Changes) -> Changes:
    """Return the changes with the types of the recipe's numbers.

    Raises:
        click.BadParameter: The recipe does not have such a number, or the value is not possible.
    """
    return {name: _checked(config, name, value) for name, value in changes.items()}


def _checked(config: Config, name: str, value: int | float) -> int | float:
    numbers = {field: type(default) for field, default in asdict(config).items() if type(default) in (int, float)}
    if name not in numbers or name in _OPTIONS:
        known = ", ".join(field for field in numbers if field not in _OPTIONS)
        raise click.BadParameter(
            f"{name[:40]!r} is not a number of the {config.recipe} recipe; expected one of {known}.",
            param_hint="'--set'",
        )
    kind = numbers[name]
    least, most = _RANGES.get(name, _RANGE)
    if not least <= value <= most or (kind is int and type(value) is not int):
        article = "an integer" if kind is int else "a number"
        raise click.BadParameter(f"{name} is {value}; expected {article} from {least} to {most}.", param_hint="'--set'")
    return kind(value)


def as_options(config: Config) -> list[str]:
    """Return the options that change the recipe's numbers to those of `config`."""
    defaults = asdict(type(config)())
    changed = {name: value for name, value in asdict(config).items() if value != defaults[name]}
    return [f"--set {name}={value}" for name, value in changed.items() if name not in _OPTIONS]


def name_of(field: str) -> str:
    """Return how the command line names a field of a configuration."""
    return f"--{field.replace('_', '-')}" if field in _OPTIONS else f"--set {field}"
