"""Generate handwritten digits with a VAE, a GAN or a conditional GAN in ONNX Runtime, without PyTorch.

>>> import mnistgen
>>> gen = mnistgen.load("cgan", device="auto")
>>> gen.generate(10, seed=7).shape  # the digits 0 to 9
(10, 28, 28)
"""

TYPE_CHECKING = False  # not from typing, which takes as long to import as all of this module
if TYPE_CHECKING:
    from mnistgen.errors import (
        ArtifactError,
        DeviceError,
        DeviceWarning,
        IllegibleError,
        InputError,
        MissingPackageError,
        MnistgenError,
        OutputError,
        ProvenanceError,
        UnknownModelError,
    )
    from mnistgen.generator import Generator, load
    from mnistgen.output.images import encode_png, grid

__version__ = "0.1.0"

__all__ = [
    "ArtifactError",
    "DeviceError",
    "DeviceWarning",
    "Generator",
    "IllegibleError",
    "InputError",
    "MissingPackageError",
    "MnistgenError",
    "OutputError",
    "ProvenanceError",
    "UnknownModelError",
    "__version__",
    "encode_png",
    "grid",
    "load",
]


if not TYPE_CHECKING:  # else type checkers would accept any name

    def __getattr__(name: str) -> object:
        """Import the API when a name is first used, so that commands can report Ctrl-C and failures of the imports."""
        if not name.startswith("__"):
            import mnistgen.errors
            import mnistgen.generator
            import mnistgen.output.images

            if name in __all__:
                homes = (mnistgen.errors, mnistgen.generator, mnistgen.output.images)
                globals()[name] = next(getattr(home, name) for home in homes if hasattr(home, name))
            if name in globals():
                return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        """Return all names, also those that have not been imported yet."""
        return sorted({*globals(), *__all__})
