"""Legible digits: each is read back by the verifier, a small classifier, and drawn anew until it is read as asked.

Attempt k at image i of seed s decodes the latent of the reserve address (s, k), i (`mnistgen.latents`), the first one
being the image's own. So what is drawn depends on seed, index and digit alone, as without verification (contract C4).
"""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistgen.errors import DeviceError, IllegibleError
from mnistgen.inference.engine import Engine
from mnistgen.inference.session import Feed, open_session
from mnistgen.latents import one_hot, reserve_latents
from mnistgen.manifest import Manifest, Model
from mnistgen.validation import allocate

INPUT, OUTPUT = "image", "probabilities"
"""What the verifier's file calls digits (n, 1, 28, 28) in [0, 1] and probabilities (n, 10)."""
THRESHOLD = 0.9995
"""Least probability of the digit asked for with which an image is accepted."""
MOST_ATTEMPTS = 300
"""Draws of an image at most; a model without labels takes ten on average for a digit that is asked for."""


@dataclass(frozen=True, eq=False)
class Verified:
    """Digits that the verifier reads as asked, and what that took."""

    images: NDArray[np.uint8]
    """(n, 28, 28), ink 255."""
    digits: NDArray[np.uint8]
    """(n,), what each was read as: the digit asked for, where one was."""
    attempts: NDArray[np.int64]
    """(n,), draws that each took, 1 to MOST_ATTEMPTS; 1 where the image is what `generate` draws without `verify`."""


class Verifier:
    """Reads digits, on the CPU, with the thread that calls it. Threads may share it, it may be pickled or inherited.

    Always the CPU, whatever the generator runs on, so that two devices accept the same digits.
    """

    def __init__(self, manifest: Manifest):
        self._manifest = manifest
        self._sessions: dict[int, Any] = {}  # by process: what a child inherits may have been forked in mid-run

    def read(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities (n, 10) of what `images` (n, 28, 28) show, ink 255.

        Raises ArtifactError where there is no verifier or it is damaged, and DeviceError where ONNX Runtime fails.
        """
        session = self._session()
        try:
            (probabilities,) = session.run([OUTPUT], {INPUT: images[:, None].astype(np.float32) / 255})
        except Exception as error:  # onnxruntime's exceptions have no common base of their own
            raise DeviceError(f"ONNX Runtime failed to run the verifier: {error}") from error
        read: NDArray[np.float32] = probabilities
        return read

    def _session(self) -> Any:
        process = os.getpid()
        if process not in self._sessions:
            self._sessions.setdefault(process, open_session(self._manifest.read_verifier(), "cpu"))
        return self._sessions[process]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_sessions": {}}


@dataclass(frozen=True)
class Request:
    """The images `start` to `start` + `n` - 1 of `seed`, drawn by `engine` until they are read as asked."""

    engine: Engine
    model: Model
    verifier: Verifier
    n: int
    asked: NDArray[np.uint8] | None
    """(n,), what each shall show; None, for a model without labels only, where any digit will do."""
    seed: int
    start: int

    def draw(self) -> Verified:
        """The images, all of them legible; raises IllegibleError where one is not after MOST_ATTEMPTS draws."""
        drawn = Verified(allocate(self.n), np.empty(self.n, np.uint8), np.empty(self.n, np.int64))
        pending = np.arange(self.n)
        for attempt in range(MOST_ATTEMPTS):
            pending = pending[~self._try(attempt, pending, drawn)]
            if not len(pending):
                return drawn
        raise IllegibleError(self._in_vain(int(pending[0])))

    def _try(self, attempt: int, pending: NDArray[np.intp], into: Verified) -> NDArray[np.bool_]:
        """Draw the images at the positions `pending` (m,); whether each is legible, (m,)."""
        legible = np.empty(len(pending), bool)

        def feed(chunk: slice) -> Feed:
            at = pending[chunk]  # (c,)
            indices = (self.start + int(position) for position in at)
            z = reserve_latents(indices, self.model.latent_size, self.seed, attempt)  # (c, latent)
            if self.asked is None or not self.model.classes:
                return {"z": z}
            return {"z": z, "label": one_hot(self.asked[at], self.model.classes)}

        def keep(chunk: slice, digits: NDArray[np.float32]) -> None:
            at = pending[chunk]  # (c,)
            images = np.rint(digits * 255).astype(np.uint8)  # (c, 28, 28)
            read = self.verifier.read(images)  # (c, 10)
            shown = read.argmax(1) if self.asked is None else self.asked[at]  # (c,)
            into.images[at], into.digits[at], into.attempts[at] = images, shown, attempt + 1
            legible[chunk] = read[np.arange(len(read)), shown] >= THRESHOLD

        self.engine.draw(len(pending), feed, keep)
        return legible

    def _in_vain(self, position: int) -> str:
        wanted = "any digit" if self.asked is None else str(self.asked[position])
        return (
            f"Image {self.start + position} of seed {self.seed} was not read as {wanted} in {MOST_ATTEMPTS} draws of "
            f"the {self.model.name}: take another seed, or draw without verify."
        )
