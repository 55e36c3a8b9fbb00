"""Generate handwritten digits with a VAE, a GAN or a conditional GAN in ONNX Runtime, without PyTorch.

>>> import mnistgen
>>> gen = mnistgen.load("cgan", device="auto")
>>> gen.generate(10, seed=7).shape  # the digits 0 to 9
(10, 28, 28)
"""

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
