"""Load models, and draw in one line: the functions of the package."""

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, overload

from mnistgen.errors import InputError
from mnistgen.generator import Generator, import_pool
from mnistgen.inference.session import RUN_SECONDS
from mnistgen.manifest import Manifest, artifacts_folder
from mnistgen.validation import Integers, check_path

if TYPE_CHECKING:
    from mnistgen.image import Image

ModelName = Literal["vae", "gan", "cgan", "cgan-int8", "vae-fp16", "gan-fp16", "cgan-fp16"]
"""Models that ship with mnistgen; those in float16 are in a checkout, but not in the wheel."""
Device = Literal["auto", "cpu", "gpu", "cuda", "webgpu", "openvino"]
"""Where a model can run."""


@overload
def load(model: ModelName = "cgan", *, device: Device = "auto", threads: int | None = None) -> Generator: ...
@overload
def load(
    model: str, *, device: Device = "auto", threads: int | None = None, artifacts: str | os.PathLike[str]
) -> Generator: ...
@overload
def load(
    model: str | os.PathLike[str],
    *,
    device: Device = "auto",
    threads: int | None = None,
    timeout: float = RUN_SECONDS,
) -> Generator: ...
def load(
    model: str | os.PathLike[str] = "cgan",
    *,
    device: str = "auto",
    threads: int | None = None,
    artifacts: str | os.PathLike[str] | None = None,
    timeout: float | None = None,
) -> Generator:
    """Load a model.

    Args:
        model: "vae", "gan", "cgan", or "cgan-int8", the CGAN with quantized convolutions, which is faster; or the path
            of a trusted ONNX file of your own, which ends in .onnx. A checkout also has the smaller files "vae-fp16",
            "gan-fp16" and "cgan-fp16", with weights in float16.
        device: "auto", "cpu" or "gpu" ("cuda" is a synonym). "auto" uses the GPU if it can be used. If it falls back to
            the CPU although ONNX Runtime is built for the GPU, it gives a DeviceWarning with the reason.
        threads: Threads on a CPU; by default, as many as the process may use cores.
        artifacts: Folder with a manifest and models of your own; by default, those that ship with mnistgen.
        timeout: Seconds that a run of a file of your own may take, 60 by default.

    Returns:
        The model, ready to generate.

    Raises:
        UnknownModelError: The manifest lists no such model.
        InputError: The device, the number of threads or the timeout is invalid.
        ArtifactError: The manifest or the model is missing or damaged.
        MissingPackageError: ONNX Runtime is not installed.
        DeviceError: The GPU was requested and cannot be used.

    >>> images = mnistgen.load("cgan").generate(3, digit=5, seed=0)  # uint8 (3, 28, 28)
    """
    if _is_file(model):
        if artifacts is not None:
            raise InputError(
                "artifacts has no effect on a file of your own", code="option-conflict", remedy="Leave out artifacts"
            )
        path = check_path("model", model)
        limit = RUN_SECONDS if timeout is None else timeout
        return Generator.from_file(path, device=device, threads=threads, timeout=limit)
    if timeout is not None:
        raise InputError(
            "timeout has no effect on a model that ships with mnistgen",
            code="option-conflict",
            remedy="Leave out timeout",
        )
    import_pool()
    folder = artifacts_folder() if artifacts is None else check_path("artifacts", artifacts)
    return Generator(Manifest(folder), model, device, threads)  # type: ignore[arg-type]  # checked there


def draw(
    digit: int | Integers | None = None,
    *,
    n: int | None = None,
    seed: int | None = None,
    start: int = 0,
    verify: bool = False,
    model: ModelName = "cgan",
    device: Device = "auto",
) -> "Image":
    """Draw digits as a picture, with a model that is loaded once.

    Args:
        digit: One digit, or several; by default, any.
        n: Number of digits, at most 1000; by default, as many as are given, or one.
        seed: Seed of the digits; random by default.
        start: Index of the first image of the seed.
        verify: Draw illegible digits again; every model then takes a `digit`.
        model: Model to use, as in `load`.
        device: Device to run on, as in `load`.

    Returns:
        The picture that `Generator.draw` returns.

    Raises:
        MnistgenError: As `load` and `Generator.draw`.

    >>> mnistgen.draw(5).save("five.png")
    >>> mnistgen.draw([3, 1, 4], seed=7).seed
    7
    """
    return _loaded(model, device).draw(digit, n=n, seed=seed, start=start, verify=verify)


@lru_cache(maxsize=8)
def _loaded(model: ModelName, device: Device) -> Generator:
    return load(model, device=device)


def _is_file(model: object) -> bool:
    return isinstance(model, os.PathLike) or (isinstance(model, str) and model.lower().endswith(".onnx"))
