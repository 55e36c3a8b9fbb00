"""Run a model in chunks, on several threads and sessions."""

import os
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnistgen.errors import ArtifactError, DeviceError, InputError
from mnistgen.forking import guard
from mnistgen.inference.cpu import usable_cores
from mnistgen.inference.session import (
    CPU,
    Inputs,
    check_images,
    open_device,
    open_session,
    run_bound,
    run_session,
)
from mnistgen.manifest import Model, ModelSource

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from mnistgen.inference.cuda import Fault
    from mnistgen.inference.deadline import Run

_CHUNK = 16
"""Maximum images per run on a CPU: enough for efficient matrix products, few enough for its caches."""
GPU_CHUNK = 256
"""Maximum images per run on a GPU, which needs more work to be busy."""
_LEAST_PER_THREAD = 4
"""Images from which another thread pays off."""
_HEAVY = 50_000_000
"""Floating-point operations per image from which it pays to split one run among threads."""

MakeInputs = Callable[[slice], Inputs]
OnChunk = Callable[[slice, NDArray[np.float32]], None]


class Engine:
    """A model that is ready to run.

    Threads may share it. A process that inherits or unpickles it opens its own sessions.
    """

    def __init__(self, source: ModelSource, model: Model, device: str, threads: int | None = None):
        self._source = source
        self._model = model
        self._device = device
        self._threads = threads
        self._states: dict[int, _ProcessState] = {}  # by process: a fork may copy a state in the middle of a run
        self._closed = False
        self._state()

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of the execution provider, such as "CPUExecutionProvider"."""
        return self._state().provider

    @property
    def fault(self) -> "Fault | None":
        """Why the device "auto" fell back to the CPU; None if it did not."""
        return self._state().fault

    def draw(self, n: int, make_inputs: MakeInputs, on_chunk: OnChunk) -> None:
        """Draw `n` images in chunks.

        Several threads may call both functions at the same time.

        Args:
            n: Number of images.
            make_inputs: Returns the model's inputs for a chunk.
            on_chunk: Receives a chunk and its images (chunk, 28, 28) in [0, 1].

        Raises:
            DeviceError: ONNX Runtime fails.
            InputError: The engine is closed.
        """
        state = self._state()
        chunks = state.chunks(n)
        if len(chunks) == 1:
            on_chunk(chunks[0], self._run(state, state.single_run_session(), make_inputs(chunks[0])))
            return
        try:
            drawn = state.pool.map(
                lambda chunk: on_chunk(chunk, self._run(state, state.session, make_inputs(chunk))), chunks
            )
        except RuntimeError as error:
            if self._closed:  # by another thread, in the meantime
                raise self._closed_error() from error
            raise DeviceError(
                f"No thread can be started ({error})",
                code="threads-unavailable",
                remedy="Raise the limits on processes and memory (ulimit -u, -v), or load the model with fewer threads",
            ) from error
        for _ in drawn:  # raise the exceptions of the threads
            pass

    def draw_into(self, images: NDArray[np.uint8], make_inputs: MakeInputs) -> NDArray[np.uint8]:
        """Draw one image for each of `images` (n, 28, 28), as grey levels, ink 255; return `images`."""

        def on_chunk(chunk: slice, output: NDArray[np.float32]) -> None:
            images[chunk] = np.rint(output * 255)

        self.draw(len(images), make_inputs, on_chunk)
        return images

    def check_open(self) -> None:
        """Raise InputError if the engine is closed."""
        self._state()

    def close(self) -> None:
        """Release this process's sessions and threads once running calls have finished; refuse further calls."""
        self._closed = True
        state = self._states.pop(os.getpid(), None)
        if state:
            state.end_threads()

    def _run(self, state: "_ProcessState", session: Any, inputs: Inputs) -> NDArray[np.float32]:
        """Run the model once: inputs (n, ·) → images (n, 28, 28) in [0, 1]."""
        run = run_session if state.provider == CPU else run_bound
        n = len(inputs["z"])
        if state.provider != CPU:
            inputs = _padded(inputs, GPU_CHUNK)
        try:
            images = self._run_once(run, session, inputs)
        except ArtifactError:
            raise
        except Exception as error:  # onnxruntime's exceptions have no common base class
            raise DeviceError(
                f"ONNX Runtime failed to run the {self._model.name} ({state.provider}): {error}", code="run-failed"
            ) from error
        check_images(images, len(inputs["z"]), self._model.name)
        return images[:n, 0]

    def _run_once(self, run: "Run", session: Any, inputs: Inputs) -> NDArray[np.float32]:
        if self._source.timeout is None:
            return run(session, inputs)
        from mnistgen.inference.deadline import run_within  # lazy: shipped models do not need it

        return run_within(self._source.timeout, run, session, inputs, self._model.name)

    def _state(self) -> "_ProcessState":
        process = os.getpid()
        state = self._states.get(process)
        if state is None:
            if self._closed:
                raise self._closed_error()
            state = _ProcessState(self._source, self._model, self._device, self._threads)
            state = self._states.setdefault(process, state)  # atomic: concurrent threads use the same one
        return state

    def _closed_error(self) -> InputError:
        return InputError(
            f"The generator of the {self._model.name} is closed",
            code="generator-closed",
            remedy="Load another with mnistgen.load",
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_states": {}}


def _padded(inputs: Inputs, n: int) -> Inputs:
    """Return `inputs` with `n` rows, the last one repeated.

    GPU libraries such as cuBLAS choose their algorithms by shape, and two algorithms round differently. With a single
    shape, an image does not depend on the batch that it is drawn in (contract C4).
    """
    return {name: np.pad(rows, ((0, n - len(rows)), (0, 0)), mode="edge") for name, rows in inputs.items()}


class _ProcessState:
    """The sessions and threads of one process."""

    def __init__(self, source: ModelSource, model: Model, device: str, threads: int | None):
        self._source = source
        self._model = model
        self._single_runs = 0
        self._lazy: dict[str, Any] = {}
        self.session, self.fault = open_device(source.read_bytes(model), device)
        self.provider = str(self.session.get_providers()[0])
        self._threads = (threads or usable_cores()) if self.provider == CPU else 1

    def chunks(self, n: int) -> list[slice]:
        """Return slices of about the same size that cover `n` images, equally many for each thread."""
        largest = _CHUNK if self.provider == CPU else GPU_CHUNK
        rounds = -(-n // (largest * self._threads))
        count = max(1, min(rounds * self._threads, n // _LEAST_PER_THREAD), -(-n // largest))
        bounds = (n * i // count for i in range(count + 1))
        return [slice(first, stop) for first, stop in pairwise(bounds)]

    # Lazy attributes use `setdefault`, which is atomic, and no lock: in Python 3.11, `cached_property` has one for all
    # instances, and a process forked while another thread holds it would wait forever. Of two values, one is dropped.

    @property
    def pool(self) -> "ThreadPoolExecutor":
        """Threads that each run the session by themselves; they sleep while idle."""
        if "pool" not in self._lazy:
            with guard:
                from concurrent.futures import ThreadPoolExecutor  # lazy: a single digit does not need it

            self._lazy.setdefault(
                "pool", ThreadPoolExecutor(self._threads, thread_name_prefix=f"mnistgen-{self._model.name}")
            )
        pool: ThreadPoolExecutor = self._lazy["pool"]
        return pool

    def end_threads(self) -> None:
        """End the threads of the pool, if it was started, after their work."""
        if "pool" in self._lazy:
            self.pool.shutdown()

    def single_run_session(self) -> Any:
        """Return the session for a chunk that runs alone.

        For a large model this is a session that splits the run among all threads. It is opened for the second run: the
        first may be the last.
        """
        self._single_runs += 1
        if self._threads == 1 or self._model.flops < _HEAVY or self._single_runs == 1:
            return self.session
        if "session" not in self._lazy:
            self._lazy.setdefault("session", open_session(self._source.read_bytes(self._model), "cpu", self._threads))
        return self._lazy["session"]
