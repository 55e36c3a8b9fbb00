"""What can go wrong, as sentences.

MnistgenError
├── InputError               a value that was asked for is not possible (also a ValueError)
│   └── UnknownModelError    no model of that name
├── ArtifactError            a model or the manifest is missing, damaged or too new
├── MissingPackageError      a package that is needed is not installed (also an ImportError)
├── DeviceError              the device that was asked for cannot be used
├── IllegibleError           no draw of an image was read as asked
├── ProvenanceError          a file does not say how it was drawn, or not in a way that can be read
└── OutputError              a file cannot be written (also an OSError)

DeviceWarning                a GPU was there to be used and could not be (a UserWarning)
"""


class MnistgenError(Exception):
    """Base of all errors that mnistgen foresees; the message says what was wrong and what to do."""


class InputError(MnistgenError, ValueError):
    """A value that was asked for is not possible; the message names those that are."""


class UnknownModelError(InputError):
    """There is no model of that name; the message names those that there are."""


class ArtifactError(MnistgenError):
    """A model file or the manifest is missing, damaged, or of a schema that this version cannot read."""


class MissingPackageError(MnistgenError, ImportError):
    """A package that is needed is not installed; the message gives the command that installs it."""


class DeviceError(MnistgenError):
    """The device that was asked for cannot be used; the message says why and what to do."""


class IllegibleError(MnistgenError):
    """An image was not read as asked in as many draws as there are; nothing that was not is returned."""


class ProvenanceError(MnistgenError):
    """A file is not mnistgen's, is damaged, or holds no provenance that this version can read."""


class OutputError(MnistgenError, OSError):
    """A file cannot be written; nothing half-written is left."""


class DeviceWarning(UserWarning):
    """The device "auto" fell back to the CPU though ONNX Runtime is built for the GPU; the message says why."""
