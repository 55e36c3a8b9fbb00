"""Generate handwritten digits with a VAE, a GAN or a conditional GAN in ONNX Runtime, without PyTorch.

>>> import mnistgen
>>> gen = mnistgen.load("cgan", device="auto")
>>> gen.generate(10, seed=7).shape  # the digits 0 to 9
(10, 28, 28)
"""

TYPE_CHECKING = False  # not from typing, which takes as long to import as all of this module
if TYPE_CHECKING:
    from mnistgen.animation import Animation
    from mnistgen.api import draw, load
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
    from mnistgen.generator import Generator
    from mnistgen.image import Image
    from mnistgen.output.images import encode_png, grid

__version__ = "0.1.0"

__all__ = [
    "Animation",
    "ArtifactError",
    "DeviceError",
    "DeviceWarning",
    "Generator",
    "IllegibleError",
    "Image",
    "InputError",
    "MissingPackageError",
    "MnistgenError",
    "OutputError",
    "ProvenanceError",
    "UnknownModelError",
    "__version__",
    "draw",
    "encode_png",
    "grid",
    "load",
]


_HOMES = {
    "Animation": "animation",
    "Generator": "generator",
    "Image": "image",
    "draw": "api",
    "encode_png": "output.images",
    "grid": "output.images",
    "load": "api",
}
"""Modules of the public names; the others are in `errors`."""

if not TYPE_CHECKING:  # else type checkers would accept any name

    def __getattr__(name: str) -> object:
        """Import the API when a name is first used, so that commands can report Ctrl-C and failures of the imports."""
        if not name.startswith("__"):
            from importlib import import_module

            for home in ("api", "errors", "output.images"):
                import_module(f"{__name__}.{home}")
            if name in __all__:
                globals()[name] = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)
            if name in globals():
                return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        """Return all names, also those that have not been imported yet."""
        return sorted({*globals(), *__all__})
