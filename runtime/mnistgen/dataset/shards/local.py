"""Make shards on this computer, in processes of their own."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TypeAlias

from mnistgen.dataset.shards.events import Event, Losses, made
from mnistgen.dataset.shards.job import Answer, answer
from mnistgen.errors import DeviceError

_SECONDS_TO_END = 5
_Done: TypeAlias = "queue.SimpleQueue[tuple[int, Answer | OSError | int]]"


def run_in_process(job: str, shards: Sequence[int]) -> Iterator[Event]:
    """Make the shards one after another in this process."""
    for k in shards:
        yield made(k, answer(job, k))


def run_locally(job: str, shards: Sequence[int], workers: int) -> Iterator[Event]:
    """Make the shards in several processes; a process that dies is replaced.

    Raises:
        DeviceError: A process cannot be started, or the processes of one shard keep dying.
        MnistgenError: A shard cannot be made.
    """
    todo: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    done: _Done = queue.SimpleQueue()
    pool = [_Worker(job) for _ in range(workers)]
    losses, left = Losses(), len(shards)
    for k in shards:
        todo.put(k)
    try:
        for worker in pool:
            worker.start(todo, done)
        while left:
            try:
                k, result = done.get(timeout=1)  # on Windows, Ctrl-C does not interrupt a longer wait
            except queue.Empty:
                continue
            if isinstance(result, OSError):
                raise DeviceError(
                    f"No worker can be started ({result.strerror or result})",
                    code="worker-not-started",
                    remedy="Raise the limits on processes and memory, or use fewer workers",
                )
            if isinstance(result, int):
                yield losses.add(k, f"exit code {result}")
                todo.put(k)
            else:
                left -= 1
                yield made(k, result)
    finally:
        for _ in pool:
            todo.put(None)
        for worker in pool:
            worker.end()
        for worker in pool:
            worker.wait()


class _Worker:
    """A process, and the thread that gives it work."""

    def __init__(self, job: str):
        self._job = job
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread()
        self._lock = threading.Lock()
        self._ended = False

    def start(self, todo: "queue.SimpleQueue[int | None]", done: _Done) -> None:
        """Have shards made until there is None to do: (k, answer), (k, exit code), or (k, error of the system)."""
        self._thread = threading.Thread(target=self._serve, args=(todo, done), daemon=True)
        self._thread.start()

    def _serve(self, todo: "queue.SimpleQueue[int | None]", done: _Done) -> None:
        while (k := todo.get()) is not None:
            try:
                done.put((k, self._ask(k)))
            except OSError as error:
                done.put((k, error))

    def end(self) -> None:
        """Ask the process to end, also in the middle of a shard."""
        with self._lock:
            self._ended = True
            if self._process and self._process.stdin:
                with suppress(OSError):
                    self._process.stdin.close()

    def wait(self) -> None:
        """Wait until the process has ended; kill it if that takes long."""
        process = self._process
        if process:
            try:
                process.wait(_SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                process.kill()
            self._thread.join()
            self._buried(process)

    def _ask(self, k: int) -> Answer | int:
        """Return the process's answer, or its exit code if it died."""
        process = self._running()
        try:
            with suppress(BrokenPipeError):
                process.stdin.write(f"{k}\n")  # type: ignore[union-attr]  # it is a pipe
                process.stdin.flush()  # type: ignore[union-attr]
            line = process.stdout.readline()  # type: ignore[union-attr]
        except ValueError:  # the pipe was closed by `end`
            line = ""
        if line.endswith("\n"):
            result: Answer = json.loads(line)
            return result
        return self._buried(process)

    def _buried(self, process: "subprocess.Popen[str]") -> int:
        """Close the pipes of a process that has ended; return its exit code."""
        code = process.wait()
        with self._lock:
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):  # what was written to a dead process
                    pipe.close()  # type: ignore[union-attr]
            self._process = None
        return code

    def _running(self) -> "subprocess.Popen[str]":
        with self._lock:
            if self._process is None and not self._ended:
                self._process = _started()
                with suppress(BrokenPipeError):
                    self._process.stdin.write(f"{self._job}\n")  # type: ignore[union-attr]
            if self._process is None:
                raise OSError("ended")
            return self._process


def _started() -> "subprocess.Popen[str]":
    """Start a process with this one's import path, in a session of its own, which Ctrl-C does not reach."""
    code = f"import sys; sys.path[:] = {sys.path!r}; from mnistgen.dataset.shards.worker import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        encoding="utf-8",
    )
