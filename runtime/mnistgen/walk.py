"""Walks and manifolds: the model's inputs for a path through, or a grid over, its latents."""

from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from mnistgen import interpolation
from mnistgen.errors import InputError
from mnistgen.latents import INDEX_END, SEED_END, latents, one_hot, random_seed
from mnistgen.request import unconditional
from mnistgen.validation import Integers, count, integer, integers, is_several, too_many

if TYPE_CHECKING:
    from mnistgen.inference.session import Inputs
    from mnistgen.manifest import Model

_RANDOM_SEEDS = 4
"""Number of random seeds of a walk that changes nothing else."""
_MOST_STOPS = 1_000_000
"""Maximum number of stops: a range of seeds takes no memory, but iterating over it could take forever."""


class WalkRequest(NamedTuple):
    """A path from stop to stop; stop i is image 0 of seed `seeds[i]`, showing `digits[i]`."""

    model: "Model"
    seeds: list[int]
    digits: list[int]
    frames: int
    loop: bool

    @classmethod
    def validate(
        cls, model: "Model", seeds: int | Integers | None, digits: int | Integers | None, frames: int, loop: bool
    ) -> "WalkRequest":
        """Return the request for these arguments of `Generator.walk`.

        By default, a conditional model walks from 0 to 9 with one random seed; other models visit four random seeds.

        Raises:
            InputError: An argument is invalid, or the model does not take digits.
        """
        if digits is not None and not model.classes:
            raise unconditional(model)
        seeds, digits = default_stops(model, seeds, digits)
        places = integers("seeds", seeds, SEED_END, code="invalid-seed", most=_MOST_STOPS)
        shown = [0]
        if digits is not None:
            shown = integers("digits", digits, model.classes, code="invalid-digit", most=_MOST_STOPS)
        frames = integer("frames", frames, INDEX_END, least=1, code="invalid-count")
        stops = max(len(places), len(shown))
        if stops < 2:
            raise InputError(
                "The walk has 1 stop; expected at least 2",
                code="too-few-stops",
                remedy="Give several seeds, or several digits if the model takes digits",
            )
        return cls(model, interpolation.cycle(places, stops), interpolation.cycle(shown, stops), frames, loop)

    @property
    def length(self) -> int:
        """Number of frames of the whole walk."""
        return interpolation.length(len(self.seeds), self.frames, self.loop)

    def make_inputs(self) -> "Inputs":
        """Return the model's inputs (length, ·) for all frames.

        Raises:
            InputError: They do not fit into memory.
        """
        size, classes = self.model.latent_size, self.model.classes
        try:
            z = np.concatenate([latents(1, size, seed) for seed in self.seeds])  # (stops, latent)
            inputs = {"z": interpolation.path(z, self.frames, self.loop, between(self.model))}  # (length, latent)
            if classes:
                label = one_hot(np.array(self.digits), classes)  # (stops, classes)
                inputs["label"] = interpolation.path(label, self.frames, self.loop, interpolation.lerp)
        except MemoryError as error:
            raise too_many(self.length) from error
        return inputs


def between(model: "Model") -> interpolation.Between:
    """Return how the model's latents are interpolated."""
    if model.label_temperature:
        return partial(interpolation.mix_clusters, bias=model.label_bias, temperature=model.label_temperature)
    return interpolation.lerp if model.latent_size == 2 else interpolation.slerp


def default_stops(
    model: "Model", seeds: int | Integers | None, digits: int | Integers | None
) -> tuple[int | Integers, int | Integers | None]:
    """Return the seeds and digits of a walk: if missing, all digits of one seed, or several random seeds."""
    if digits is None and model.classes:
        one_seed = seeds is None or not is_several(seeds) or count(cast(Integers, seeds)) == 1
        digits = range(model.classes) if one_seed else [0]
    if seeds is None:
        several_digits = digits is not None and is_several(digits) and count(cast(Integers, digits)) > 1
        first = random_seed()
        seeds = range(first, first + (1 if several_digits else _RANDOM_SEEDS))
    return seeds, digits


def manifold_side(model: "Model", side: int) -> int:
    """Return `side` as a Python integer.

    Raises:
        InputError: It is invalid, or the model's latents are not a plane.
    """
    if model.latent_size != 2 or model.classes:
        raise InputError(
            f"The {model.name} has {model.latent_size} latent dimensions; expected 2 and no labels",
            code="model-without-manifold",
            remedy="Use the vae",
        )
    return integer("side", side, 2**31, least=1, code="invalid-count")
