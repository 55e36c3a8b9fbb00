"""Walks and manifolds: the model's inputs for a path through, or a grid over, its latents."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mnistgen import interpolation
from mnistgen.errors import InputError
from mnistgen.latents import INDEX_END, SEED_END, latents, one_hot
from mnistgen.request import unconditional
from mnistgen.validation import Integers, integer, integers, too_many

if TYPE_CHECKING:
    from mnistgen.inference.session import Inputs
    from mnistgen.manifest import Model

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
        cls, model: "Model", seeds: int | Integers, digits: int | Integers | None, frames: int, loop: bool
    ) -> "WalkRequest":
        """Return the request for these arguments of `Generator.walk`.

        Raises:
            InputError: An argument is invalid, or the model does not take digits.
        """
        places = integers("seeds", seeds, SEED_END, code="invalid-seed", most=_MOST_STOPS)
        shown = _digits(model, digits)
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
            between = interpolation.lerp if size == 2 else interpolation.slerp
            inputs = {"z": interpolation.path(z, self.frames, self.loop, between)}  # (length, latent)
            if classes:
                label = one_hot(np.array(self.digits), classes)  # (stops, classes)
                inputs["label"] = interpolation.path(label, self.frames, self.loop, interpolation.lerp)
        except MemoryError as error:
            raise too_many(self.length) from error
        return inputs


def _digits(model: "Model", digits: int | Integers | None) -> list[int]:
    if digits is None:
        return [0]  # the default digit of a conditional model's image 0
    if not model.classes:
        raise unconditional(model)
    return integers("digits", digits, model.classes, code="invalid-digit", most=_MOST_STOPS)


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
