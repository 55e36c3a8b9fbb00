"""What a step receives: the device, its sizes, and where its rows go."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch

from export.gpu_check.results import Row

ROOT = Path(__file__).parents[2]
"""The checkout."""
ARTIFACTS = ROOT / "artifacts"


class SkippedError(Exception):
    """The step cannot run here; the message says why."""


@dataclass(frozen=True)
class Context:
    """Settings of one step, which runs in a process of its own."""

    device: str
    """"cuda", or "cpu" to try the code of the steps without a GPU."""
    tiny: bool
    """Whether to use sizes that take seconds on a CPU. The figures then mean nothing."""
    out: Path
    data: Path
    """Folder that contains MNIST/raw."""
    seconds: float
    """Time limit of the step."""
    rows: Path
    """File to which each row is appended at once, as a line of JSON."""

    @property
    def torch_device(self) -> torch.device:
        """The device for PyTorch."""
        return torch.device(self.device)

    @property
    def runtime_device(self) -> str:
        """The device for mnistgen."""
        return "gpu" if self.device == "cuda" else "cpu"

    @property
    def turn(self) -> float:
        """Minimum seconds for which a function is timed in each turn."""
        return 0.0 if self.tiny else 0.1

    def emit(self, **row: object) -> None:
        """Save a row, so that it stays if the step ends early."""
        entry: Row = dict(row)
        with self.rows.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def require_device(self) -> None:
        """Raise SkippedError if the GPU is requested and PyTorch finds none."""
        if self.device == "cuda" and not torch.cuda.is_available():
            build = torch.version.cuda
            raise SkippedError(
                "PyTorch finds no CUDA device" if build else f"PyTorch {torch.__version__} is built for the CPU only"
            )

    def wait(self) -> None:
        """Wait until the device has finished."""
        if self.device == "cuda":
            torch.cuda.synchronize()


def first_line(error: BaseException) -> str:
    """Return an error's type and the first line of its message."""
    return f"{type(error).__name__}: {error}".strip().splitlines()[0][:300]
