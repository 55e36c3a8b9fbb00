"""What a call asks for, validated once, and the model's inputs for any part of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnistgen.errors import InputError
from mnistgen.latents import INDEX_END, SEED_END, joined_latents, latents, one_hot, random_seed, reserve_latents
from mnistgen.validation import Integers, integer, integers, is_several, matrix, too_many

if TYPE_CHECKING:
    from mnistgen.inference.session import Inputs
    from mnistgen.manifest import Model

Positions = slice | NDArray[np.intp]
"""Positions within a request: 0 is the image at its `start`."""


class Request(NamedTuple):
    """The images `start` to `start` + `n` - 1 of `seed`."""

    model: "Model"
    n: int
    digits: NDArray[np.uint8] | None
    """(n,), the digit of each image; None for the default of the model."""
    seed: int
    start: int

    @classmethod
    def validate(
        cls, model: "Model", n: int, digit: int | Integers | None, seed: int | None, start: int, verify: bool = False
    ) -> "Request":
        """Return the request for these arguments of `Generator.generate`.

        With `verify`, unconditional models accept a `digit`, too. Without a seed, a random one is drawn.

        Raises:
            InputError: An argument is invalid, or the model does not take digits.
        """
        n = integer("n", n, INDEX_END, least=1, code="invalid-count")
        seed = random_seed() if seed is None else integer("seed", seed, SEED_END, code="invalid-seed")
        start = integer("start", start, INDEX_END, code="invalid-start")
        if start + n > INDEX_END:
            raise InputError(
                f"start + n is {start + n}; expected at most {INDEX_END}, the number of images of a seed",
                code="invalid-start",
            )
        return cls(model, n, _digits(model, n, digit, verify), seed, start)

    def part(self, first: int, stop: int) -> "Request":
        """Return the request for the positions `first` to `stop` - 1."""
        digits = None if self.digits is None else self.digits[first:stop]
        return self._replace(n=stop - first, digits=digits, start=self.start + first)

    def latents(self) -> NDArray[np.float32]:
        """Return the latents (n, latent_size) of all images.

        Raises:
            InputError: They do not fit into memory.
        """
        try:
            return latents(self.n, self.model.latent_size, self.seed, self.start)
        except (MemoryError, ValueError) as error:
            raise too_many(self.n) from error

    def make_inputs(self, chunk: slice) -> "Inputs":
        """Return the model's inputs for the positions in `chunk`."""
        z = latents(chunk.stop - chunk.start, self.model.latent_size, self.seed, self.start + chunk.start)
        return self._with_labels(z, chunk)

    def make_reserve_inputs(self, positions: NDArray[np.intp], attempt: int) -> "Inputs":
        """Return the model's inputs for an attempt at the images at `positions` (m,), in ascending order."""
        indices = (self.start + int(position) for position in positions)
        return self._with_labels(reserve_latents(indices, self.model.latent_size, self.seed, attempt), positions)

    def digits_at(self, positions: Positions) -> NDArray[np.uint8] | None:
        """Return the digits (m,) at `positions`; None if the model is unconditional and none were requested.

        By default, image i of a conditional model shows the digit i modulo the number of classes.
        """
        if self.digits is not None:
            return self.digits[positions]
        classes = self.model.classes
        if not classes:
            return None
        if isinstance(positions, slice):
            positions = np.arange(positions.start, positions.stop)
        return ((self.start % classes + positions) % classes).astype(np.uint8)

    def _with_labels(self, z: NDArray[np.float32], positions: Positions) -> "Inputs":
        digits = self.digits_at(positions)
        if digits is None or not self.model.classes:
            return {"z": z}
        return {"z": z, "label": one_hot(digits, self.model.classes)}


def join_inputs(model: "Model", requests: Sequence[Request]) -> "Inputs":
    """Return the inputs of a model for all images of its `requests`, at least one, with few images in total."""
    z = joined_latents([(request.n, request.seed, request.start) for request in requests], model.latent_size)
    if not model.classes:
        return {"z": z}
    digits = np.concatenate([request.digits_at(slice(0, request.n)) for request in requests])  # (total,)
    return {"z": z, "label": one_hot(digits, model.classes)}


def _digits(model: "Model", n: int, digit: int | Integers | None, verify: bool) -> NDArray[np.uint8] | None:
    if digit is None:
        return None
    if not model.classes and not verify:
        raise unconditional(model)
    digits = integers("digit", digit, model.classes or 10, code="invalid-digit")
    if len(digits) != n and is_several(digit):
        raise InputError(
            f"digit has {len(digits)} values for {n} images; expected one for all, or one for each",
            code="digit-count-mismatch",
        )
    return np.broadcast_to(np.array(digits, dtype=np.uint8), (n,))


def unconditional(model: "Model") -> InputError:
    """Return the error for a digit or label given to a model that takes none."""
    return InputError(
        f"The {model.name} is unconditional",
        code="model-unconditional",
        remedy="Use the cgan to choose a digit, or verify=True with any model",
    )


def decode_inputs(model: "Model", z: ArrayLike, label: ArrayLike | None) -> "Inputs":
    """Return the model's inputs for latents (n, latent_size) and labels (n, classes) of the caller.

    Raises:
        InputError: A shape or value is invalid, or the label is missing or not expected.
    """
    inputs = {"z": matrix("z", z, model.latent_size, code="invalid-latent")}
    if not model.classes:
        if label is not None:
            raise unconditional(model)
        return inputs
    n = len(inputs["z"])
    expected = f"expected shape ({n}, {model.classes}), one row for each latent"
    if label is None:
        raise InputError(f"label is missing; {expected}", code="invalid-label")
    inputs["label"] = matrix("label", label, model.classes, code="invalid-label")
    if len(inputs["label"]) != n:
        raise InputError(f"label has shape {inputs['label'].shape}; {expected}", code="invalid-label")
    return inputs
