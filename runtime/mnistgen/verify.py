"""Legible digits: a small classifier, the verifier, reads each image back and rejects it if it reads another digit.

A rejected image is drawn again from the next reserve address (`mnistgen.latents`): attempt k at image i of seed s
decodes the latent of key (s, k) and index i. The first attempt is the image's own address. So a verified image depends
only on its seed, index and digit, as without verification (contract C4).

The latents of the GAN and the VAE tell which digit comes (`mnistgen.latent_digits`). Attempts at another digit are
counted, but not drawn.
"""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistgen.errors import DeviceError, IllegibleError
from mnistgen.inference.engine import Engine
from mnistgen.inference.session import open_session
from mnistgen.latent_digits import may_show, tells_digits
from mnistgen.manifest import ModelSource
from mnistgen.request import Request
from mnistgen.validation import allocate

INPUT, OUTPUT = "image", "probabilities"
"""Names in the verifier's file: images (n, 1, 28, 28) in [0, 1] and probabilities (n, 10)."""
THRESHOLD = 0.9995
"""Probability of the requested digit from which an image is accepted."""
MOST_ATTEMPTS = 300
"""Maximum number of attempts at an image; an unconditional model needs ten on average for a requested digit."""


@dataclass(frozen=True, eq=False)
class Verified:
    """Images that the verifier reads as the requested digits."""

    images: NDArray[np.uint8]
    """(n, 28, 28), ink 255."""
    digits: NDArray[np.uint8]
    """(n,), the digit that the verifier reads: the requested one, if any."""
    attempts: NDArray[np.int64]
    """(n,), attempts for each image, 1 to MOST_ATTEMPTS; 1 means that `generate` draws the same image."""
    seed: int
    """Seed of the images, also if it was random."""


class Verifier:
    """Classifies digits on the CPU, in the calling thread. Threads may share it; it can be pickled and forked.

    It always runs on the CPU, so that generators on all devices accept the same images.
    """

    def __init__(self, source: ModelSource):
        self._source = source
        self._sessions: dict[int, Any] = {}  # by process: a fork may copy a session in the middle of a run

    def read(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Classify images.

        Args:
            images: Images (n, 28, 28), ink 255.

        Returns:
            Probabilities (n, 10) of the digits 0 to 9.

        Raises:
            ArtifactError: The verifier is missing or damaged.
            DeviceError: ONNX Runtime fails.
        """
        session = self._session()
        try:
            (probabilities,) = session.run([OUTPUT], {INPUT: images[:, None].astype(np.float32) / 255})
        except Exception as error:  # onnxruntime's exceptions have no common base class
            raise DeviceError(f"ONNX Runtime failed to run the verifier: {error}", code="run-failed") from error
        read: NDArray[np.float32] = probabilities
        return read

    def _session(self) -> Any:
        process = os.getpid()
        if process not in self._sessions:
            self._sessions.setdefault(process, open_session(self._source.read_verifier(), "cpu"))
        return self._sessions[process]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_sessions": {}}


def draw_verified(engine: Engine, verifier: Verifier, request: Request) -> Verified:
    """Draw the requested images until each is legible.

    Raises:
        IllegibleError: An image is not legible after MOST_ATTEMPTS attempts.
    """
    n = request.n
    drawn = Verified(allocate(n), np.empty(n, np.uint8), np.empty(n, np.int64), request.seed)
    pending = np.arange(n)
    for attempt in range(MOST_ATTEMPTS):
        drawable = pending[_may_show_digits(request, attempt, pending)]
        if len(drawable):
            legible = drawable[_attempt(engine, verifier, request, attempt, drawable, drawn)]
            pending = np.setdiff1d(pending, legible, assume_unique=True)
        if not len(pending):
            return drawn
    raise _illegible(request, int(pending[0]))


def _may_show_digits(request: Request, attempt: int, pending: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return whether the images at the positions `pending` (m,) may show the requested digits, by their latents (m,).

    The verifier would reject the others, so they need not be drawn.
    """
    digits = request.digits_at(pending)  # (m,)
    if digits is None or not tells_digits(request.model):
        return np.ones(len(pending), bool)
    return may_show(request.model, request.make_reserve_inputs(pending, attempt)["z"], digits)


def _attempt(
    engine: Engine, verifier: Verifier, request: Request, attempt: int, pending: NDArray[np.intp], into: Verified
) -> NDArray[np.bool_]:
    """Draw the images at the positions `pending` (m,); return whether each is legible (m,)."""
    legible = np.empty(len(pending), bool)

    def on_chunk(chunk: slice, output: NDArray[np.float32]) -> None:
        positions = pending[chunk]  # (c,)
        images = np.rint(output * 255).astype(np.uint8)  # (c, 28, 28)
        probabilities = verifier.read(images)  # (c, 10)
        requested = request.digits_at(positions)  # (c,)
        shown = probabilities.argmax(1) if requested is None else requested  # (c,)
        into.images[positions], into.digits[positions], into.attempts[positions] = images, shown, attempt + 1
        legible[chunk] = probabilities[np.arange(len(shown)), shown] >= THRESHOLD

    engine.draw(len(pending), lambda chunk: request.make_reserve_inputs(pending[chunk], attempt), on_chunk)
    return legible


def _illegible(request: Request, position: int) -> IllegibleError:
    requested = request.digits_at(np.array([position]))
    digit = "any digit" if requested is None else requested[0]
    return IllegibleError(
        f"Image {request.start + position} of seed {request.seed} was not read as {digit} in {MOST_ATTEMPTS} attempts "
        f"by the {request.model.name}",
        code="illegible",
        remedy="Use another seed, or do not verify",
    )
