"""Errors that mnistgen foresees. Each has a machine-readable `code` and says what to do.

MnistgenError
├── InputError               an argument is invalid (also a ValueError)
│   └── UnknownModelError    no model has that name
├── ArtifactError            a model or the manifest is missing, damaged or too new
├── MissingPackageError      a required package is not installed (also an ImportError)
├── DeviceError              the requested device cannot be used
├── IllegibleError           no attempt at an image was legible
├── ProvenanceError          a file holds no provenance, or none that can be read
└── OutputError              a file cannot be written (also an OSError)

DeviceWarning                a GPU was expected but could not be used (a UserWarning)
"""

from functools import partial
from typing import Any

from mnistgen import __version__

PACKAGE = f"mnistgen-{__version__}-py3-none-any.whl"
"""What pip installs: the wheel that `make release` builds; "mnistgen" as soon as PyPI has it (RELEASING.md)."""


class MnistgenError(Exception):
    """Base class of all errors that mnistgen foresees.

    `str(error)` is one line: the problem, then the remedy.

    Args:
        problem: What is wrong and what is valid, without a full stop, such as "seed is -1; expected an integer from 0
            to 18446744073709551615".
        code: Name of the problem in kebab-case, one of those in docs/errors.md.
        remedy: What to do, as a sentence in the imperative without a full stop. Empty if the problem says it all.

    Attributes:
        problem: As given.
        code: As given. Programs should test this instead of the text.
        remedy: As given.
    """

    def __init__(self, problem: str, *, code: str, remedy: str = ""):
        super().__init__(sentences(problem, remedy))
        self.problem = problem
        self.code = code
        self.remedy = remedy

    def __reduce__(self) -> tuple[Any, ...]:  # pickle would call the class without its keyword arguments
        return partial(type(self), self.problem, code=self.code, remedy=self.remedy), ()


def sentences(problem: str, remedy: str) -> str:
    """Return what is wrong and what to do, as sentences."""
    return " ".join(part if part.endswith("?") else f"{part.removesuffix('.')}." for part in (problem, remedy) if part)


class InputError(MnistgenError, ValueError):
    """An argument is invalid."""


class UnknownModelError(InputError):
    """No model has the requested name."""


class ArtifactError(MnistgenError):
    """A model file or the manifest is missing, damaged, or has a schema that this version cannot read."""


class MissingPackageError(MnistgenError, ImportError):
    """A required package is not installed; the remedy is the command that installs it."""


class DeviceError(MnistgenError):
    """The requested device cannot be used."""


class IllegibleError(MnistgenError):
    """An image was not legible after the maximum number of attempts; no images are returned."""


class ProvenanceError(MnistgenError):
    """A file was not written by mnistgen, is damaged, or holds no provenance that this version can read."""


class OutputError(MnistgenError, OSError):
    """A file cannot be written; no half-written file is left."""


class DeviceWarning(UserWarning):
    """The device "auto" fell back to the CPU although ONNX Runtime is built for the GPU."""


def install_command(extra: str) -> str:
    """Return the command that installs mnistgen with an extra, such as "cpu"."""
    return f"pip install '{PACKAGE}[{extra}]'"


def no_memory(what: str) -> DeviceError:
    """Return the error for a package that does not fit into memory."""
    return DeviceError(
        f"{what} does not fit into memory",
        code="memory-exhausted",
        remedy="Free memory, or raise the limit on it (ulimit -v)",
    )
