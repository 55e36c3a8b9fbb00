"""The processes that make shards: where they run, and how many."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mnistgen.dataset.shards.events import Event
from mnistgen.dataset.shards.local import run_in_process, run_locally
from mnistgen.errors import InputError
from mnistgen.inference.cpu import usable_cores
from mnistgen.validation import integer, shown

ENGINES = ("local", "ray")
_MOST = 100_000


@dataclass(frozen=True, kw_only=True)
class Workers:
    """The processes that make shards; raises InputError if a value is invalid.

    >>> two = dataset.Workers(count=2, device="cpu")
    """

    engine: str = "local"
    """"local", processes on this computer, or "ray" (extra `ray`)."""
    count: int | None = None
    """Number of processes; by default, as many as there are cores."""
    address: str | None = None
    """Address of a Ray cluster; by default that in RAY_ADDRESS, or else a Ray that is started on this computer."""
    device: str = "auto"
    """As for `mnistgen.load`."""
    artifacts: Path | None = None
    """As for `mnistgen.load`."""
    on_loss: Callable[[int], None] | None = None
    """Called with the number of a shard whose worker died; another worker makes the shard again."""

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            known = ", ".join(ENGINES)
            raise InputError(f"engine is {shown(self.engine)}; expected one of {known}", code="unknown-engine")
        if self.count is not None:
            integer("workers", self.count, _MOST + 1, least=1, code="invalid-workers")
        if self.address is not None and self.engine != "ray":
            raise InputError("address has no effect on the engine local", code="option-conflict", remedy="Leave it out")

    def run(self, job: str, shards: Sequence[int], on_gpu: bool) -> Iterator[Event]:
        """Make the shards; yield what happens.

        Args:
            job: The job, from `job.describe`.
            shards: Numbers of the shards.
            on_gpu: Whether each process needs a GPU.
        """
        if self.engine == "ray":
            from mnistgen.dataset.shards.ray_engine import run_on_ray  # lazy: needs an extra

            return run_on_ray(job, shards, self.count, self.address, on_gpu)
        count = min(self.count or usable_cores(), len(shards))
        return run_in_process(job, shards) if count == 1 else run_locally(job, shards, count)
