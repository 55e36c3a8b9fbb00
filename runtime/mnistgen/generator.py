"""The generator: seeds and labels in, digits out."""

import operator
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, SupportsIndex, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnistgen.errors import DeviceError, InputError
from mnistgen.latents import INDEX_END, SEED_END, latents
from mnistgen.manifest import Manifest, Model, artifacts_folder
from mnistgen.resources import usable_cores
from mnistgen.session import open_session

Digits = list[int] | tuple[int, ...] | range | NDArray[np.integer]
"""What each of several images shall show."""

_CHUNK = 16
"""Images in one run of the model: enough to fill its matrix products, few enough that requests split over the cores."""

_LARGEST = 1_000_000
"""Magnitude up to which latents and labels are taken: far beyond any use, and far from float32's own end."""


def load(model: str = "cgan", *, device: str = "auto", artifacts: str | Path | None = None) -> "Generator":
    """The generator called `model` ("vae", "gan" or "cgan"), ready to use on `device` ("auto", "cpu" or "gpu").

    `artifacts` names a folder with a manifest and models of your own; without it, those that come with mnistgen are
    used. Raises UnknownModelError, InputError for an unknown device, ArtifactError, MissingPackageError, DeviceError.

    >>> images = mnistgen.load("cgan").generate(3, digit=5, seed=0)  # uint8 (3, 28, 28)
    """
    return Generator(Manifest(Path(artifacts or artifacts_folder())), model, device)


class Generator:
    """A model with its session. Threads may share it; a pickled or forked copy opens its own session."""

    def __init__(self, manifest: Manifest, model: str, device: str):
        self.model: Model = manifest.model(model)
        """What the manifest says of the model."""
        self._manifest = manifest
        self._device = device
        self._sessions: dict[int, Any] = {}  # by process: one that a child inherits may have been forked in mid-run
        self._session()

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of what the model runs on, such as "CPUExecutionProvider"."""
        return str(self._session().get_providers()[0])

    def generate(
        self, n: int = 1, *, digit: int | Digits | None = None, seed: int = 0, start: int = 0
    ) -> NDArray[np.uint8]:
        """Digits (n, 28, 28), uint8, ink 255: the images `start` to `start` + `n` - 1 of `seed`.

        `digit` is what to draw, one number from 0 to 9 for all images or one for each; without it the CGAN's image i
        shows i modulo 10. Raises InputError for impossible values, and for a `digit` where the model takes none.
        """
        n, seed, start = _address(n, seed, start)
        digits = self._digits(n, digit)
        images = _allocate(n)  # (n, 28, 28)

        def draw(chunk: slice) -> None:
            size, first = chunk.stop - chunk.start, start + chunk.start
            z = latents(size, self.model.latent_size, seed, first)  # (size, latent)
            label = None
            if self.model.classes:
                classes = self.model.classes
                shown = (first % classes + np.arange(size)) % classes if digits is None else digits[chunk]  # (size,)
                label = one_hot(shown, classes)  # (size, classes)
            images[chunk] = np.rint(self._run(z, label) * 255)

        _for_each_chunk(n, draw)
        return images

    def latents(self, n: int = 1, *, seed: int = 0, start: int = 0) -> NDArray[np.float32]:
        """The latents (n, latent_size), float32 and unit normal, that `generate` decodes for the same arguments."""
        n, seed, start = _address(n, seed, start)
        try:
            return latents(n, self.model.latent_size, seed, start)
        except (MemoryError, ValueError) as error:
            raise _too_many(n) from error

    def decode(self, z: ArrayLike, label: ArrayLike | None = None) -> NDArray[np.float32]:
        """Digits (n, 28, 28), float32 in [0, 1], ink 1, from latents `z` (n, latent_size) of your own.

        The CGAN needs a `label` (n, 10): one-hot, or a mixture that lies between digits. Raises InputError for other
        shapes, values that are not finite or beyond ±1,000,000, and for a label where the model takes none.
        """
        latent = _matrix("z", z, self.model.latent_size)
        if not self.model.classes:
            if label is not None:
                raise InputError(self._no_digits())
            return self._decode(latent, None)
        if label is None:
            raise InputError(f"The {self.model.name} needs a label of shape (n, {self.model.classes}) beside z.")
        labels = _matrix("label", label, self.model.classes)
        if len(labels) != len(latent):
            raise InputError(f"z has {len(latent)} rows and label {len(labels)}: give one label for each latent.")
        return self._decode(latent, labels)

    def _decode(self, z: NDArray[np.float32], label: NDArray[np.float32] | None) -> NDArray[np.float32]:
        images = np.empty((len(z), 28, 28), dtype=np.float32)

        def draw(chunk: slice) -> None:
            images[chunk] = self._run(z[chunk], None if label is None else label[chunk])

        _for_each_chunk(len(z), draw)
        return images

    def _run(self, z: NDArray[np.float32], label: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """One run of the model: latents (n, latent), labels (n, classes) → digits (n, 28, 28) in [0, 1]."""
        feed = {"z": z} if label is None else {"z": z, "label": label}
        session = self._session()
        try:
            (image,) = session.run(["image"], feed)  # (n, 1, 28, 28)
        except Exception as error:  # onnxruntime's exceptions have no common base of their own
            raise DeviceError(f"ONNX Runtime failed to run the {self.model.name} ({self.provider}): {error}") from error
        digits: NDArray[np.float32] = image[:, 0]
        return digits

    def _digits(self, n: int, digit: int | Digits | None) -> NDArray[np.uint8] | None:
        """What each image shall show, (n,), or None where that is left to the image's index or to the model."""
        if digit is None:
            return None
        if not self.model.classes:
            raise InputError(self._no_digits())
        if isinstance(digit, list | tuple | range | np.ndarray) and np.ndim(digit):
            if len(digit) != n:
                raise InputError(f"digit names {len(digit)} digits for {n} images: give one for all, or one for each.")
            return np.array([_integer("a digit", one, self.model.classes) for one in digit], dtype=np.uint8)
        one = np.uint8(_integer("a digit", cast(SupportsIndex, digit), self.model.classes))
        return np.broadcast_to(one, (n,))

    def _no_digits(self) -> str:
        return f"The {self.model.name} draws whatever comes, no digit that is asked for: the cgan does."

    def _session(self) -> Any:
        process = os.getpid()
        if process not in self._sessions:
            session = open_session(self._manifest.read_bytes(self.model), self._device)
            self._sessions.setdefault(process, session)  # atomic: of two threads' sessions, both use the first
        return self._sessions[process]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_sessions": {}}

    def __repr__(self) -> str:
        return f"mnistgen.load({self.model.name!r}, device={self._device!r})"


def one_hot(digits: NDArray[np.integer], classes: int = 10) -> NDArray[np.float32]:
    """Digits (n,) → labels (n, classes), 1 in the digit's column and 0 elsewhere."""
    labels: NDArray[np.float32] = np.eye(classes, dtype=np.float32)[digits]
    return labels


def _for_each_chunk(n: int, draw: Callable[[slice], None]) -> None:
    """Call `draw` for slices that cover `n` images, on as many threads at once as the process has cores.

    Sessions run on the thread that calls them, so chunks side by side use all cores; threads that end with the call
    leave nothing that a fork could break.
    """
    chunks = [slice(first, min(first + _CHUNK, n)) for first in range(0, n, _CHUNK)]
    if len(chunks) == 1:
        draw(chunks[0])
        return
    with ThreadPoolExecutor(min(usable_cores(), len(chunks))) as pool:
        list(pool.map(draw, chunks))  # the list raises here what was raised there


def _address(n: int, seed: int, start: int) -> tuple[int, int, int]:
    """The three as Python integers; raises InputError where they are none, or out of range."""
    n = _integer("the count n", n, INDEX_END, least=1)
    seed = _integer("a seed", seed, SEED_END)
    start = _integer("start", start, INDEX_END)
    if start + n > INDEX_END:
        raise InputError(f"A seed has {INDEX_END} images: start {start} and count {n} go beyond them.")
    return n, seed, start


def _integer(what: str, value: SupportsIndex, end: int, least: int = 0) -> int:
    valid = f"that is a whole number from {least} to {end - 1}"
    try:
        number = operator.index(value)
    except TypeError as error:
        raise InputError(f"{value!r} is not {what}: {valid}.") from error
    if not least <= number < end:
        shown = number if abs(number) < 2**128 else "So large a number"  # Python refuses to print very long ones
        raise InputError(f"{shown} is not {what}: {valid}.")
    return number


def _matrix(name: str, value: ArrayLike, width: int) -> NDArray[np.float32]:
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of several lengths
        raise InputError(f"{name} is no array: give one of shape (n, {width}).") from error
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} is no array of real numbers: give one of shape (n, {width}).")
    if array.ndim != 2 or array.shape[1] != width or not len(array):
        raise InputError(f"{name} has shape {array.shape}: give one of shape (n, {width}), n at least 1.")
    if not (np.abs(array) <= _LARGEST).all():
        raise InputError(f"{name} holds values that are not finite, or beyond ±{_LARGEST:,}: give smaller ones.")
    return np.ascontiguousarray(array, dtype=np.float32)


def _allocate(n: int) -> NDArray[np.uint8]:
    try:
        return np.empty((n, 28, 28), dtype=np.uint8)
    except (MemoryError, ValueError) as error:
        raise _too_many(n) from error


def _too_many(n: int) -> InputError:
    return InputError(f"{n} images do not fit into memory: ask for fewer at a time, and go on with start.")
