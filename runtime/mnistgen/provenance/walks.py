"""The records of walks and manifolds, which are written, read and drawn again as a picture's is (`provenance`)."""

from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnistgen import interpolation
from mnistgen.errors import InputError
from mnistgen.latents import SEED_END
from mnistgen.output import animation, images
from mnistgen.output.formats import MOST_PIXELS, Frames
from mnistgen.provenance import DIGIT, Flag, Name, Scale, Sha256, as_json, one_of, optional, several, whole

if TYPE_CHECKING:
    from mnistgen.generator import Generator

FORMATS = ("gif", "webp", "png")
"""Kinds of files that a walk is written to; a png is a sheet."""
MOST_FRAMES = 1000
"""Frames of one walk at most; more belong into an array of the API."""
SHORTEST = 20
"""Milliseconds that a frame takes at least: many programs show a shorter one for longer."""
LONGEST = 600_000
"""Milliseconds that all frames take at most: a GIF joins frames that are the same, and cannot show one much longer."""
MOST_SIDE = 100
"""Digits in a row of a manifold at most; more belong into an array of the API."""
_SCHEMA = "2.0"
"""Whose readers know of other kinds than pictures."""


class Walk(NamedTuple):
    """What a walk in a file shows and how it was drawn; the first four fields are those of provenance.Record."""

    mnistgen: Name
    model: Name
    sha256: Sha256
    provider: Name
    seeds: Annotated[tuple[int, ...], several(whole(0, SEED_END), 2, MOST_FRAMES)]
    """Of each stop."""
    digits: Annotated[tuple[int, ...] | None, optional(several(DIGIT, 2, MOST_FRAMES))]
    """What each stop was to show; None where the model takes no digits."""
    frames: Annotated[int, whole(1, MOST_FRAMES + 1)]
    """From one stop to the next, the first counted."""
    loop: Flag
    format: Annotated[str, one_of(*FORMATS)]
    scale: Scale
    milliseconds: Annotated[int | None, optional(whole(SHORTEST, LONGEST + 1))]
    """For which each frame is shown; None for a sheet, which does not move."""

    @property
    def total(self) -> int:
        """Frames of the whole walk."""
        return interpolation.length(len(self.seeds), self.frames, self.loop)

    def to_json(self) -> str:
        """The record as one line of JSON in ASCII, which begins with the key "mnistgen"."""
        return as_json(_SCHEMA, "walk", self._asdict())

    def check(self) -> None:
        """Raise InputError where facts are at odds, or ask for a file larger or longer than mnistgen writes."""
        if self.digits is not None and len(self.digits) != len(self.seeds):
            raise InputError(f"{len(self.digits)} digits are not those of {len(self.seeds)} stops.")
        if self.total > MOST_FRAMES:
            raise InputError(f"{self.total} frames are too many for one walk: ask for {MOST_FRAMES} at most in all.")
        if self._cells() * (28 * self.scale) ** 2 > MOST_PIXELS:
            raise InputError(
                f"{self.total} frames at scale {self.scale} are too large: ask for fewer, or a smaller --scale."
            )
        self._check_time()

    def _cells(self) -> int:
        """Digits in the file: a sheet repeats the stops between two legs."""
        legs = len(self.seeds) - (not self.loop)
        return legs * (self.frames + 1) if self.format == "png" else self.total

    def _check_time(self) -> None:
        time = self.milliseconds
        if (time is None) != (self.format == "png"):
            raise InputError("A sheet does not move: leave out --milliseconds, or write a gif or webp.")
        if time is None:
            return
        if self.format == "gif" and time % 10:
            raise InputError(f"A GIF counts time in tens of milliseconds, not {time}: give it a ten, or write a webp.")
        if self.total * time > LONGEST:
            raise InputError(
                f"{self.total} frames of {time} ms are too long: {LONGEST // 60_000} minutes are the most."
            )

    def draw(self, generator: "Generator") -> Frames:
        """The walk (total, 28, 28)."""
        return generator.walk(seeds=self.seeds, digits=self.digits, frames=self.frames, loop=self.loop)

    def encode(self, drawn: Frames, metadata: bool = True) -> bytes:
        """The walk (total, 28, 28) as a file, which carries the record unless without `metadata`.

        Raises as animation.encode does.
        """
        text = self.to_json() if metadata else None
        if self.milliseconds is None:
            return images.encode_png(images.grid(self._legs(drawn), self.scale, columns=self.frames + 1), text)
        large = drawn.repeat(self.scale, 1).repeat(self.scale, 2)
        return animation.encode(large, f".{self.format}", self.milliseconds, self.loop, text)

    def _legs(self, drawn: Frames) -> NDArray[np.uint8]:
        """The walk's legs one after another (legs · (frames + 1), 28, 28), each with the stops at both of its ends."""
        if self.loop:
            drawn = np.concatenate([drawn, drawn[:1]])
        firsts = range(0, len(drawn) - 1, self.frames)
        return np.concatenate([drawn[first : first + self.frames + 1] for first in firsts])

    def redraw(self, generator: "Generator") -> bytes:
        """The file that the record tells of, drawn by `generator`."""
        return self.encode(self.draw(generator))


class Manifold(NamedTuple):
    """How a manifold in a file was drawn; the first four fields are those of provenance.Record."""

    mnistgen: Name
    model: Name
    sha256: Sha256
    provider: Name
    side: Annotated[int, whole(1, MOST_SIDE + 1)]
    """Digits in a row, and rows."""
    format: Annotated[str, one_of("png")]
    scale: Scale

    def to_json(self) -> str:
        """The record as one line of JSON in ASCII, which begins with the key "mnistgen"."""
        return as_json(_SCHEMA, "manifold", self._asdict())

    def check(self) -> None:
        """Raise InputError where the picture would be larger than MOST_PIXELS."""
        if (28 * self.side * self.scale) ** 2 > MOST_PIXELS:
            raise InputError(
                f"{self.side} × {self.side} digits at scale {self.scale} are too large: "
                "ask for fewer, or a smaller --scale."
            )

    def draw(self, generator: "Generator") -> Frames:
        """The digits (side², 28, 28), row by row."""
        return generator.manifold(self.side)

    def encode(self, drawn: Frames, metadata: bool = True) -> bytes:
        """The digits (side², 28, 28) as a PNG, which carries the record unless without `metadata`.

        Raises MissingPackageError without Pillow.
        """
        grid = images.grid(drawn, self.scale, columns=self.side)
        return images.encode_png(grid, self.to_json() if metadata else None)

    def redraw(self, generator: "Generator") -> bytes:
        """The file that the record tells of, drawn by `generator`."""
        return self.encode(self.draw(generator))
