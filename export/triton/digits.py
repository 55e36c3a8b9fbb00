"""The model `digits` of a Triton model repository, for Triton's Python backend: images by seed and index.

Triton runs this file as model.py, next to a manifest and the ONNX file that it lists. It needs mnistgen in the Python
of the backend, and imports nothing else of this repository.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as triton

import mnistgen

MOST_IMAGES = 400
"""Maximum number of images in one response, as in `mnistgen serve`."""


class TritonPythonModel:
    """A generator, called by Triton."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the model that config.pbtxt names; fail if its file is not the manifest's."""
        name = json.loads(args["model_config"])["parameters"]["model"]["string_value"]
        device = "gpu" if args["model_instance_kind"] == "GPU" else "cpu"
        self._generator = mnistgen.load(name, device=device, threads=1, artifacts=Path(__file__).parent)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Return a response with images, or with an error, for each request."""
        return [self._answer(request) for request in requests]

    def finalize(self) -> None:
        """Release the model."""
        self._generator.close()

    def _answer(self, request: Any) -> Any:
        given = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
        try:
            images = draw(self._generator, **given)  # (n, 28, 28)
        except mnistgen.InputError as error:
            fault = triton.TritonError(str(error), triton.TritonError.INVALID_ARG)
            return triton.InferenceResponse(error=fault)
        except mnistgen.MnistgenError as error:
            return triton.InferenceResponse(error=triton.TritonError(str(error)))
        return triton.InferenceResponse([triton.Tensor("image", images)])


def draw(
    generator: mnistgen.Generator,
    seed: np.ndarray | None = None,  # (1,), required
    start: np.ndarray | None = None,  # (1,)
    n: np.ndarray | None = None,  # (1,)
    digit: np.ndarray | None = None,  # (1,) for all images, or (n,)
) -> np.ndarray:
    """Return the images (n, 28, 28) that `Generator.generate` returns for tensors of these values.

    Raises:
        InputError: The seed is missing, or a value is out of range.
    """
    if seed is None:  # Triton calls models with optional inputs even if a required one is missing
        raise mnistgen.InputError("seed is missing; expected a UINT64 tensor of one value", code="invalid-seed")
    count = 1 if n is None else int(n[0])
    if count > MOST_IMAGES:
        raise mnistgen.InputError(f"n is {count}; expected at most {MOST_IMAGES}", code="invalid-count")
    digits = None if digit is None else digit.tolist()
    return generator.generate(
        count,
        digit=digits[0] if digits and len(digits) == 1 else digits,
        seed=int(seed[0]),
        start=0 if start is None else int(start[0]),
    )
