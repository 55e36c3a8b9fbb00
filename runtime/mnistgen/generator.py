"""The generator of digits: each public method validates, then delegates."""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnistgen.errors import DeviceWarning
from mnistgen.forking import guard
from mnistgen.inference.engine import Engine, MakeInputs
from mnistgen.inference.session import MOST_RUN_SECONDS, RUN_SECONDS, Inputs
from mnistgen.manifest import Model, ModelSource
from mnistgen.request import Request, decode_inputs, join_inputs
from mnistgen.validation import Integers, allocate, check_path, integer, seconds

if TYPE_CHECKING:
    from mnistgen.animation import Animation
    from mnistgen.image import Image
    from mnistgen.verify import Verified

MOST_THREADS = 1024
_BLOCK = 1024
"""Images in one block of a stream."""


class Generator:
    """A model that generates digits.

    Threads may share it. It can be pickled, or inherited by a forked process. As a context manager it closes itself.
    `seed` is an integer from 0 to 2**64 - 1 and `start` the index of the first image: image i of a seed is always the
    same. Without a seed, each call takes a random one. Pictures and animations tell which; arrays cannot. Invalid
    arguments raise InputError, as does every call after `close`.

    >>> with mnistgen.load("vae") as gen:
    ...     images = gen.generate(3)
    """

    def __init__(self, source: ModelSource, model: str, device: str, threads: int | None = None):
        self.model: Model = source.model(model)
        """Facts about the model."""
        self._source = source
        if threads is not None:
            threads = integer("threads", threads, MOST_THREADS + 1, least=1, code="invalid-threads")
        self._engine = Engine(source, self.model, device, threads)
        self._repr = f"mnistgen.load({model!r}, device={device!r})"
        if self._engine.fault:
            text = f"Falling back to the CPU. {self._engine.fault}"
            warnings.warn(text, DeviceWarning, stacklevel=3)  # the caller of `load`

    @classmethod
    def from_file(
        cls, path: str | Path, *, device: str = "auto", threads: int | None = None, timeout: float = RUN_SECONDS
    ) -> "Generator":
        """Load a trusted ONNX file of your own that fulfils the file contract (docs/contract.md).

        Its inputs, output and metadata are checked, and two digits are drawn on the CPU.

        Args:
            path: The ONNX file.
            device: As in `load`.
            threads: As in `load`.
            timeout: Seconds that a run of the model, which draws up to 16 images, may take.

        Raises:
            ArtifactError: The file does not fulfil the contract, or a run takes longer than `timeout`. Otherwise as
                `load`.

        >>> gen = mnistgen.Generator.from_file("mine.onnx")
        """
        from mnistgen.model_file import ModelFile  # lazy: shipped models do not need it

        import_pool()
        file = ModelFile(check_path("path", path), seconds("timeout", timeout, MOST_RUN_SECONDS))
        generator = cls(file, file.only.name, device, threads)
        generator._repr = f"mnistgen.Generator.from_file({str(path)!r}, device={device!r})"
        return generator

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of the execution provider, such as "CPUExecutionProvider"; InputError if closed."""
        return self._engine.provider

    def close(self) -> None:
        """Release the model's memory and threads in this process once running calls have finished.

        Afterwards, every call that needs the model raises InputError. Closing twice is safe. Copies that were pickled
        or inherited before stay open.
        """
        self._engine.close()
        self.__dict__.pop("_verifier", None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def generate(
        self,
        n: int = 1,
        *,
        digit: int | Integers | None = None,
        seed: int | None = None,
        start: int = 0,
        verify: bool = False,
    ) -> NDArray[np.uint8]:
        """Generate the images `start` to `start` + `n` - 1 of `seed`.

        Args:
            n: Number of images.
            digit: Digit from 0 to 9: one for all images, or one for each. By default, image i of the CGAN shows i
                modulo 10.
            seed: Seed of the images; random by default.
            start: Index of the first image.
            verify: Return the images of `generate_verified`; every model then takes a `digit`.

        Returns:
            Images (n, 28, 28), uint8, ink 255.
        """
        if verify:
            return self.generate_verified(n, digit=digit, seed=seed, start=start).images
        request = Request.validate(self.model, n, digit, seed, start)
        return self._engine.draw_into(allocate(request.n), request.make_inputs)

    def _generate_each(self, requests: Sequence[Request]) -> NDArray[np.uint8]:
        """Generate the images (total, 28, 28) of valid requests, one after the other, in one run of the model."""
        inputs = join_inputs(self.model, requests)
        return self._engine.draw_into(allocate(len(inputs["z"])), _slices(inputs))

    def generate_verified(
        self, n: int = 1, *, digit: int | Integers | None = None, seed: int | None = None, start: int = 0
    ) -> "Verified":
        """Generate images that a classifier reads as the requested digits; others are drawn again.

        The arguments are those of `generate`; every model takes a `digit`. Without one, unconditional models may draw
        any legible digit.

        Raises:
            IllegibleError: An image is not legible after `mnistgen.verify.MOST_ATTEMPTS` attempts.
            ArtifactError: There is no verifier, or it is damaged.

        >>> gen.generate_verified(100, digit=5).attempts.sum()  # 100, plus one for each rejected image
        """
        with guard:
            from mnistgen.verify import Verifier, draw_verified  # lazy: most calls do not verify

        request = Request.validate(self.model, n, digit, seed, start, verify=True)
        # Not `cached_property`, whose lock a fork can leave locked in Python 3.11; opening the verifier itself is lazy.
        verifier = self.__dict__.setdefault("_verifier", Verifier(self._source))
        return draw_verified(self._engine, verifier, request)

    def stream(
        self, n: int, *, digit: int | Integers | None = None, seed: int | None = None, start: int = 0
    ) -> Iterator[NDArray[np.uint8]]:
        """Generate the images of `generate` in blocks (b, 28, 28), b at most 1024: any number in little memory.

        Invalid arguments raise InputError at once, not when the iterator is first used.

        >>> for block in gen.stream(1_000_000, seed=0):
        ...     file.write(block.tobytes())
        """
        request = Request.validate(self.model, n, digit, seed, start)
        self._engine.check_open()
        parts = (request.part(first, min(first + _BLOCK, request.n)) for first in range(0, request.n, _BLOCK))
        return (self._engine.draw_into(allocate(part.n), part.make_inputs) for part in parts)

    def draw(
        self,
        digit: int | Integers | None = None,
        *,
        n: int | None = None,
        seed: int | None = None,
        start: int = 0,
        verify: bool = False,
    ) -> "Image":
        """Draw digits as a picture, which knows its seed and can be shown and saved.

        Args:
            digit: One digit, or several, which repeat until there are `n`. By default, image i of the CGAN shows i
                modulo 10, and the other models draw any digits.
            n: Number of digits, at most 1000; by default, as many as are given, or one.
            seed: Seed of the digits; random by default.
            start: Index of the first image.
            verify: Draw illegible digits again, as `generate_verified`; every model then takes a `digit`.

        Returns:
            The same digits as those of `generate`, in rows of ten.

        >>> gen.draw([3, 1, 4]).save("pi.png")
        """
        from mnistgen.pictures import draw_digits  # lazy: arrays do not need it

        return draw_digits(self, digit, n, seed, start, verify)

    def text(self, text: str | int, *, seed: int | None = None, start: int = 0, verify: bool = False) -> "Image":
        """Write a number or date in handwriting.

        Args:
            text: At least one digit, with spaces and - . : / , + between digits.
            seed: Seed of the digits; random by default.
            start: Index of the first digit's image; the others follow.
            verify: Use images of `generate_verified`; every model can then write.

        Returns:
            The picture (28, width), with the bounding box of each digit.

        >>> written = gen.text("2026-11-22", seed=0)
        >>> written.array.shape, written.boxes[0].digit  # uint8 (28, width)
        ((28, 214), 2)
        """
        from mnistgen.pictures import draw_text  # lazy: single digits do not need it

        return draw_text(self, text, seed, start, verify)

    def latents(self, n: int = 1, *, seed: int | None = None, start: int = 0) -> NDArray[np.float32]:
        """Return the latents (n, latent_size), float32 and unit normal, that `generate` decodes."""
        return Request.validate(self.model, n, None, seed, start).latents()

    def decode(self, z: ArrayLike, label: ArrayLike | None = None) -> NDArray[np.float32]:
        """Decode latents of your own.

        Args:
            z: Latents (n, latent_size), finite and within ±1,000,000.
            label: Labels (n, 10) for the CGAN: one-hot, or a mixture of digits.

        Returns:
            Images (n, 28, 28), float32 in [0, 1], ink 1.
        """
        inputs = decode_inputs(self.model, z, label)
        images = np.empty((len(inputs["z"]), 28, 28), dtype=np.float32)
        self._engine.draw(len(images), _slices(inputs), images.__setitem__)
        return images

    def walk(
        self,
        *,
        seeds: int | Integers | None = None,
        digits: int | Integers | None = None,
        frames: int = 24,
        loop: bool = False,
    ) -> "Animation":
        """Interpolate from digit to digit.

        Stop i is what `generate` returns for the i-th seed and digit. If there are fewer seeds than digits, or fewer
        digits than seeds, they repeat. Latents are interpolated on the sphere (slerp), in the VAE's plane linearly;
        labels and the weights of the GAN's clusters are mixed linearly.

        Args:
            seeds: Seed of each stop; random by default.
            digits: Digit of each stop, for the CGAN; by default, 0 to 9 with one seed.
            frames: Frames from one stop to the next, the first stop included.
            loop: Return to the first stop, which is not repeated.

        Returns:
            Frames (length, 28, 28), uint8, ink 255; stop i is frame i · `frames`.

        >>> gen.walk(seeds=[1, 2, 3], digits=[3, 8], frames=10).save("walk.gif")  # 21 frames: a 3, an 8, and a 3
        """
        from mnistgen.animation import Animation  # lazy: single digits do not need it
        from mnistgen.walk import WalkRequest

        request = WalkRequest.validate(self.model, seeds, digits, frames, loop)
        images = allocate(request.length)  # (length, 28, 28)
        self._engine.draw_into(images, _slices(request.make_inputs()))
        return Animation.of(images, request, self.provider)

    def manifold(self, side: int = 20) -> NDArray[np.uint8]:
        """Decode a grid of latents that covers the VAE's plane at evenly spaced quantiles of the unit normal.

        Returns:
            Images (side², 28, 28), uint8, ink 255, in rows from the top left.
        """
        from mnistgen.interpolation import latent_grid
        from mnistgen.walk import manifold_side

        side = manifold_side(self.model, side)
        return self._engine.draw_into(allocate(side**2), _slices({"z": latent_grid(side)}))

    def __repr__(self) -> str:
        return self._repr


def import_pool() -> None:
    """Import the thread pool."""
    # It registers fork handlers, so the import must not coincide with a fork in another thread. Commands skip it: they
    # do not fork, and a single digit needs no pool.
    import concurrent.futures.thread  # noqa: F401


def _slices(inputs: Inputs) -> MakeInputs:
    """Return a function that gives the part of `inputs` (n, ·) for a chunk."""
    return lambda chunk: {name: value[chunk] for name, value in inputs.items()}
