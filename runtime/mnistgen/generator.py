"""The generator: seeds and labels in, digits out."""

import warnings
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnistgen.errors import DeviceWarning, InputError
from mnistgen.inference.engine import Engine
from mnistgen.inference.session import Feed
from mnistgen.latents import INDEX_END, SEED_END, latents, one_hot
from mnistgen.manifest import Manifest, Model, artifacts_folder
from mnistgen.validation import Integers, address, allocate, integer, integers, is_several, matrix, too_many

if TYPE_CHECKING:
    from mnistgen.text import Text
    from mnistgen.verify import Verified, Verifier

_BLOCK = 1024
"""Images that a stream draws at a time."""

MOST_THREADS = 1024
_MOST_STOPS = 1_000_000
"""Of a walk: a range of seeds takes no memory, and going through it could take for ever."""


def load(
    model: str = "cgan", *, device: str = "auto", threads: int | None = None, artifacts: str | Path | None = None
) -> "Generator":
    """The generator called `model`, ready to use on `device` ("auto", "cpu", or "gpu", for which "cuda" stands, too).

    Models are "vae", "gan", "cgan", and "cgan-int8", the CGAN with convolutions in eight bits, which is faster.

    On a CPU it uses as many `threads` as the process may use cores, or as many as you say. `artifacts` names a folder
    with a manifest and models of your own; without it, those that come with mnistgen are used. Raises
    UnknownModelError, InputError for an unknown device or no count of threads, ArtifactError, MissingPackageError,
    DeviceError where "gpu" cannot be had. Where "auto" falls back to the CPU though ONNX Runtime is built for the GPU,
    it gives a DeviceWarning that says why.

    >>> images = mnistgen.load("cgan").generate(3, digit=5, seed=0)  # uint8 (3, 28, 28)
    """
    return Generator(Manifest(Path(artifacts or artifacts_folder())), model, device, threads)


class Generator:
    """A model that draws. Threads may share it, and it may be pickled, or inherited by a forked process.

    As a context manager it closes itself.

    >>> with mnistgen.load("vae") as gen:
    ...     images = gen.generate(3)
    """

    def __init__(self, manifest: Manifest, model: str, device: str, threads: int | None = None):
        self.model: Model = manifest.model(model)
        """What the manifest says of the model."""
        self._manifest = manifest
        self._made = f"mnistgen.load({model!r}, device={device!r})"
        if threads is not None:
            threads = integer("a count of threads", threads, MOST_THREADS + 1, least=1)
        self._engine = Engine(manifest, self.model, device, threads)
        if self._engine.fault:
            text = f"Falling back to the CPU. {self._engine.fault}"
            warnings.warn(text, DeviceWarning, stacklevel=3)  # where `load` was called

    @classmethod
    def from_file(cls, path: str | Path, *, device: str = "auto", threads: int | None = None) -> "Generator":
        """The generator in an ONNX file of your own, which you trust and which is as mnistgen's (docs/pictures.md).

        Its inputs, output and metadata are checked, and two digits are drawn on the CPU. Raises ArtifactError where
        something is not as it must be, else what `load` raises.

        >>> gen = mnistgen.Generator.from_file("mine.onnx")
        """
        from mnistgen.model_file import ModelFile  # here, since it needs this module

        file = ModelFile(Path(path))
        generator = cls(file, file.only.name, device, threads)
        generator._made = f"mnistgen.Generator.from_file({str(path)!r}, device={device!r})"
        return generator

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of what the model runs on, such as "CPUExecutionProvider"; InputError once closed."""
        return self._engine.provider

    def close(self) -> None:
        """Let go of the model's memory and threads in this process, once what other threads are drawing is done.

        From then on whatever needs the model raises InputError. To close twice is no mistake; a copy that was pickled
        or inherited before stays open.
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
        self, n: int = 1, *, digit: int | Integers | None = None, seed: int = 0, start: int = 0, verify: bool = False
    ) -> NDArray[np.uint8]:
        """Digits (n, 28, 28), uint8, ink 255: the images `start` to `start` + `n` - 1 of `seed`.

        `digit` is what to draw, one number from 0 to 9 for all images or one for each; without it the CGAN's image i
        shows i modulo 10. With `verify`, the images are those of `generate_verified`, and any model takes a `digit`.
        Raises InputError for impossible values, for a `digit` where the model takes none, and once the generator is
        closed.
        """
        if verify:
            return self.generate_verified(n, digit=digit, seed=seed, start=start).images
        n, seed, start = address(n, seed, start)
        digits = self._digits(n, digit)
        images = allocate(n)  # (n, 28, 28)
        self._draw(images, digits, seed, start)
        return images

    def generate_verified(
        self, n: int = 1, *, digit: int | Integers | None = None, seed: int = 0, start: int = 0
    ) -> "Verified":
        """As `generate`, but each digit is read back, and drawn anew until it is read as asked.

        Where nothing is asked for, the CGAN's image i shows i modulo 10, and any digit will do of the others. Returns
        images (n, 28, 28), what they were read as (n,), and how many draws they took (n,). Raises IllegibleError where
        an image is not legible after `mnistgen.verify.MOST_ATTEMPTS` draws, ArtifactError where the artifacts have no
        verifier, and else what `generate` raises.

        >>> gen.generate_verified(100, digit=5).attempts.sum()  # 100, and one for each digit that was drawn anew
        """
        from mnistgen.verify import Request  # here, so that who does not verify need not wait for it

        n, seed, start = address(n, seed, start)
        asked = self._digits(n, digit, verified=True)
        if asked is None and self.model.classes:
            asked = self._in_turn(n, start)
        return Request(self._engine, self.model, self._verifier, n, asked, seed, start).draw()

    @cached_property
    def _verifier(self) -> "Verifier":
        from mnistgen.verify import Verifier

        return Verifier(self._manifest)

    def stream(
        self, n: int, *, digit: int | Integers | None = None, seed: int = 0, start: int = 0
    ) -> Iterator[NDArray[np.uint8]]:
        """The images that `generate` returns, in blocks (b, 28, 28), b at most 1024: any number in little memory.

        Raises InputError as `generate` does, and at once.

        >>> for block in gen.stream(1_000_000, seed=0):
        ...     file.write(block.tobytes())
        """
        n, seed, start = address(n, seed, start)
        self._engine.check_open()
        return self._blocks(n, self._digits(n, digit), seed, start)

    def _blocks(self, n: int, digits: NDArray[np.uint8] | None, seed: int, start: int) -> Iterator[NDArray[np.uint8]]:
        for first in range(0, n, _BLOCK):
            images = allocate(min(_BLOCK, n - first))  # (b, 28, 28)
            self._draw(images, None if digits is None else digits[first : first + _BLOCK], seed, start + first)
            yield images

    def _draw(self, images: NDArray[np.uint8], digits: NDArray[np.uint8] | None, seed: int, start: int) -> None:
        """Fill `images` (n, 28, 28) with those from `start` on, which show `digits` (n,), where it is given."""

        def feed(chunk: slice) -> Feed:
            size, first = chunk.stop - chunk.start, start + chunk.start
            z = latents(size, self.model.latent_size, seed, first)  # (size, latent)
            if not self.model.classes:
                return {"z": z}
            shown = self._in_turn(size, first) if digits is None else digits[chunk]  # (size,)
            return {"z": z, "label": one_hot(shown, self.model.classes)}

        self._fill(images, feed)

    def text(self, text: str, *, seed: int = 0, start: int = 0, verify: bool = False) -> "Text":
        """A number or date as one picture, each digit in a hand of its own, and where the digits are in it.

        Its digits are the images `start`, `start` + 1 and so on of `seed`; between them may stand - . : / , + and
        spaces. With `verify` they are those of `generate_verified`, and any model can write. Raises InputError for
        other characters, for a text without a digit, and where the model takes none; else what `generate` raises.

        >>> written = gen.text("2026-11-22", seed=0)
        >>> written.picture.shape, written.boxes[0].digit  # uint8 (28, width)
        ((28, 214), 2)
        """
        from mnistgen.text import write  # here, since one digit on a command line need not wait for it

        return write(self, text, seed, start, verify)

    def latents(self, n: int = 1, *, seed: int = 0, start: int = 0) -> NDArray[np.float32]:
        """The latents (n, latent_size), float32 and unit normal, that `generate` decodes for the same arguments."""
        n, seed, start = address(n, seed, start)
        try:
            return latents(n, self.model.latent_size, seed, start)
        except (MemoryError, ValueError) as error:
            raise too_many(n) from error

    def decode(self, z: ArrayLike, label: ArrayLike | None = None) -> NDArray[np.float32]:
        """Digits (n, 28, 28), float32 in [0, 1], ink 1, from latents `z` (n, latent_size) of your own.

        The CGAN needs a `label` (n, 10): one-hot, or a mixture that lies between digits. Raises InputError for other
        shapes, values that are not finite or beyond ±1,000,000, and for a label where the model takes none.
        """
        latent = matrix("z", z, self.model.latent_size)
        if not self.model.classes:
            if label is not None:
                raise InputError(self._no_digits())
            return self._decode({"z": latent})
        if label is None:
            raise InputError(f"The {self.model.name} needs a label of shape (n, {self.model.classes}) beside z.")
        labels = matrix("label", label, self.model.classes)
        if len(labels) != len(latent):
            raise InputError(f"z has {len(latent)} rows and label {len(labels)}: give one label for each latent.")
        return self._decode({"z": latent, "label": labels})

    def _decode(self, inputs: Feed) -> NDArray[np.float32]:
        images = np.empty((len(inputs["z"]), 28, 28), dtype=np.float32)
        self._engine.draw(len(images), _rows(inputs), images.__setitem__)
        return images

    def walk(
        self, *, seeds: int | Integers = 0, digits: int | Integers | None = None, frames: int = 24, loop: bool = False
    ) -> NDArray[np.uint8]:
        """Digits (length, 28, 28), uint8, ink 255, that change step by step on a path from stop to stop.

        Stop i is the image i · `frames` of the walk, and what `generate` returns for the seed and the digit of that
        stop. There are as many stops as `seeds` or `digits`, whichever are more; the fewer begin again. A leg from one
        stop to the next has as many `frames`, the first stop counted; the last stop ends the walk, or with `loop` a leg
        back to the first stop, which is not drawn again. Latents go along the sphere, in the VAE's plane straight;
        digits go as mixtures of their labels.

        Raises InputError for impossible values, for fewer than two stops or more than a million, for a walk that does
        not fit into memory, and for `digits` where the model takes none.

        >>> images = gen.walk(seeds=[1, 2, 3], digits=[3, 8], frames=10)  # (21, 28, 28): a 3, an 8, and a 3
        """
        from mnistgen import interpolation  # here, since one digit needs none of it

        places = integers("a seed", seeds, SEED_END, _MOST_STOPS)
        shown = self._labels(digits)
        frames = integer("the count of frames", frames, INDEX_END, least=1)
        stops = max(len(places), len(shown))
        if stops < 2:
            raise InputError(
                "A walk needs two stops at least: give it more seeds, or digits where the model takes them."
            )
        images = allocate(interpolation.length(stops, frames, loop))  # (length, 28, 28)
        try:
            inputs = self._path(interpolation.in_turn(places, stops), interpolation.in_turn(shown, stops), frames, loop)
        except MemoryError as error:
            raise too_many(len(images)) from error
        return self._fill(images, _rows(inputs))

    def _path(self, seeds: list[int], digits: list[int], frames: int, loop: bool) -> Feed:
        """What the model draws a walk from (length, ·), stops as many as `seeds` and `digits`."""
        from mnistgen import interpolation

        z = np.concatenate([self.latents(seed=seed) for seed in seeds])  # (stops, latent)
        feed = {
            "z": interpolation.path(
                z, frames, loop, interpolation.lerp if self.model.latent_size == 2 else interpolation.slerp
            )
        }
        if self.model.classes:
            label = one_hot(np.array(digits), self.model.classes)  # (stops, 10)
            feed["label"] = interpolation.path(label, frames, loop, interpolation.lerp)
        return feed

    def manifold(self, side: int = 20) -> NDArray[np.uint8]:
        """Digits (`side`², 28, 28), uint8, ink 255, from all over the VAE's plane, row by row from its top left.

        Their latents cut the unit normal's probability into even parts in both directions. Raises InputError for an
        impossible `side`, and for models whose latents are no plane, or not all they need.
        """
        from mnistgen import interpolation

        if self.model.latent_size != 2 or self.model.classes:
            raise InputError(f"The {self.model.name} has no plane of latents to draw: the vae has.")
        side = integer("the side of a grid", side, 2**31, least=1)
        return self._fill(allocate(side**2), _rows({"z": interpolation.latent_grid(side)}))

    def _fill(self, images: NDArray[np.uint8], feed: Callable[[slice], Feed]) -> NDArray[np.uint8]:
        """`images` (n, 28, 28), filled with what the model draws from what `feed` gives for each chunk."""

        def keep(chunk: slice, drawn: NDArray[np.float32]) -> None:
            images[chunk] = np.rint(drawn * 255)

        self._engine.draw(len(images), feed, keep)
        return images

    def _labels(self, digits: int | Integers | None) -> list[int]:
        """What a walk's stops show; image 0 of the CGAN's every seed shows a 0."""
        if digits is None:
            return [0]
        if not self.model.classes:
            raise InputError(self._no_digits())
        return integers("a digit", digits, self.model.classes, _MOST_STOPS)

    def _in_turn(self, n: int, first: int) -> NDArray[np.uint8]:
        """What images `first` to `first` + `n` - 1 show, (n,), where nothing is asked for."""
        classes = self.model.classes
        return ((first % classes + np.arange(n)) % classes).astype(np.uint8)

    def _digits(self, n: int, digit: int | Integers | None, verified: bool = False) -> NDArray[np.uint8] | None:
        """What each image shall show, (n,), or None where that is left to the image's index or to the model."""
        if digit is None:
            return None
        if not self.model.classes and not verified:
            raise InputError(f"{self._no_digits()} So does any model with verify=True.")
        digits = integers("a digit", digit, self.model.classes or 10)
        if len(digits) != n and is_several(digit):
            raise InputError(f"digit names {len(digits)} digits for {n} images: give one for all, or one for each.")
        return np.broadcast_to(np.array(digits, dtype=np.uint8), (n,))

    def _no_digits(self) -> str:
        return f"The {self.model.name} draws whatever comes, no digit that is asked for: the cgan does."

    def __repr__(self) -> str:
        return self._made


def _rows(inputs: Feed) -> Callable[[slice], Feed]:
    """Gives the part of `inputs` (n, ·) that belongs to a chunk."""
    return lambda chunk: {name: value[chunk] for name, value in inputs.items()}
