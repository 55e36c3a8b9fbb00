"""Running a model: how many images at a time, on how many threads, and on which sessions."""

import os
from collections.abc import Callable
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnistgen.errors import DeviceError, InputError
from mnistgen.inference.cpu import usable_cores
from mnistgen.inference.session import CPU, Feed, open_device, open_session, run_bound, run_session
from mnistgen.manifest import Manifest, Model

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from mnistgen.inference.cuda import Fault

_CHUNK = 16
"""Images in one run on a CPU at most: enough to fill matrix products, few enough to stay in its caches."""
_CHUNK_OF_GPU = 256
"""On a GPU, which a run has to fill."""
_SHARE = 4
"""Images that make a thread of their own worth while."""
_HEAVY = 50_000_000
"""Floating-point operations of an image from which on it pays to share out the work within one run."""


class Engine:
    """A model ready to run. Threads may share it; a process that inherits or unpickles it opens its own."""

    def __init__(self, manifest: Manifest, model: Model, device: str, threads: int | None = None):
        self._manifest = manifest
        self._model = model
        self._device = device
        self._threads = threads
        self._opened: dict[int, _Opened] = {}  # by process: what a child inherits may have been forked in mid-run
        self._closed = False
        self._here()

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of what the model runs on, such as "CPUExecutionProvider"."""
        return self._here().provider

    @property
    def fault(self) -> "Fault | None":
        """Why the device "auto" fell back to the CPU, or None where it did not."""
        return self._here().fault

    def draw(self, n: int, feed: Callable[[slice], Feed], keep: Callable[[slice, NDArray[np.float32]], None]) -> None:
        """Draw `n` images in chunks: `feed` gives a chunk's inputs, `keep` takes its digits (chunk, 28, 28) in [0, 1].

        Both are called by several threads at once. Raises DeviceError where ONNX Runtime fails, InputError once closed.
        """
        here = self._here()
        chunks = here.chunks(n)
        if len(chunks) == 1:
            keep(chunks[0], self._run(here, here.lone_session(), feed(chunks[0])))
            return
        try:
            drawn = here.pool.map(lambda chunk: keep(chunk, self._run(here, here.session, feed(chunk))), chunks)
        except RuntimeError as error:
            if self._closed:  # by another thread, since this one asked
                raise self._refusal() from error
            raise
        for _ in drawn:  # raises here what was raised there
            pass

    def check_open(self) -> None:
        """Raise InputError once the engine is closed."""
        self._here()

    def close(self) -> None:
        """Let go of sessions and threads in this process, once what is being drawn is done; draw no more."""
        self._closed = True
        opened = self._opened.pop(os.getpid(), None)
        if opened:
            opened.end_threads()

    def _run(self, here: "_Opened", session: Any, feed: Feed) -> NDArray[np.float32]:
        """One run of the model: inputs (n, ·) → digits (n, 28, 28) in [0, 1]."""
        run = run_session if here.provider == CPU else run_bound
        try:
            return run(session, feed)[:, 0]
        except Exception as error:  # onnxruntime's exceptions have no common base of their own
            raise DeviceError(
                f"ONNX Runtime failed to run the {self._model.name} ({here.provider}): {error}"
            ) from error

    def _here(self) -> "_Opened":
        process = os.getpid()
        opened = self._opened.get(process)
        if opened is None:
            if self._closed:
                raise self._refusal()
            opened = _Opened(self._manifest, self._model, self._device, self._threads)
            opened = self._opened.setdefault(process, opened)  # atomic: of two threads' both use the first
        return opened

    def _refusal(self) -> InputError:
        return InputError(f"This generator of the {self._model.name} is closed: load another with mnistgen.load.")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": {}}


class _Opened:
    """What one process has opened of a model."""

    def __init__(self, manifest: Manifest, model: Model, device: str, threads: int | None):
        self._manifest = manifest
        self._model = model
        self._lone_runs = 0
        self.session, self.fault = open_device(manifest.read_bytes(model), device)
        self.provider = str(self.session.get_providers()[0])
        self._threads = (threads or usable_cores()) if self.provider == CPU else 1

    def chunks(self, n: int) -> list[slice]:
        """Slices of about the same size that cover `n` images, as many for each thread."""
        largest = _CHUNK if self.provider == CPU else _CHUNK_OF_GPU
        rounds = -(-n // (largest * self._threads))
        count = max(1, min(rounds * self._threads, n // _SHARE), -(-n // largest))
        bounds = (n * i // count for i in range(count + 1))
        return [slice(first, stop) for first, stop in pairwise(bounds)]

    @cached_property
    def pool(self) -> "ThreadPoolExecutor":
        """Threads that each run the session on their own; idle, they sleep."""
        from concurrent.futures import (
            ThreadPoolExecutor,  # here, so that one digit on a command line need not wait for it
        )

        return ThreadPoolExecutor(self._threads, thread_name_prefix=f"mnistgen-{self._model.name}")

    def end_threads(self) -> None:
        """End the pool's threads, if they were ever started, when they are done."""
        if "pool" in self.__dict__:
            self.pool.shutdown()

    def lone_session(self) -> Any:
        """The session for a chunk that nothing runs beside."""
        self._lone_runs += 1
        if self._threads == 1 or self._model.flops < _HEAVY or self._lone_runs == 1:  # a first may be the last
            return self.session
        return self._wide_session

    @cached_property
    def _wide_session(self) -> Any:
        """One that shares a run out among all threads."""
        return open_session(self._manifest.read_bytes(self._model), "cpu", self._threads)
