"""The text of config.pbtxt, in the format of protocol buffers (model_config.proto of Triton)."""

import json
from dataclasses import dataclass

from mnistgen.manifest import Artifact

BATCH = 16
"""Maximum number of images in one run of a model, as in `mnistgen.inference.engine`."""
_QUEUE = 256
"""Requests that may wait, as in `mnistgen serve`; Triton refuses further ones."""
_DEADLINE = 10_000_000
"""Microseconds that a request may wait, as in `mnistgen serve`."""


@dataclass(frozen=True)
class Placement:
    """Where the models run."""

    device: str = "cpu"
    """"cpu" or "gpu"."""
    instances: int = 1
    """Copies of each model, which run at the same time."""

    def group(self, gpus: str = "") -> str:
        """Return `instance_group`; `gpus` restricts it to these."""
        chosen = f", gpus: [{gpus}]" if gpus and self.device == "gpu" else ""
        return f"instance_group [{{ kind: KIND_{self.device.upper()}, count: {self.instances}{chosen} }}]"


def onnx_config(name: str, artifact: Artifact, placement: Placement) -> str:
    """Return the configuration of an ONNX file: dynamic batches, run by one thread per instance."""
    inputs = {tensor: shape[1:] for tensor, shape in artifact.inputs.items()}
    outputs = {tensor: shape[1:] for tensor, shape in artifact.outputs.items()}
    return "\n".join(
        [
            f"name: {_text(name)}",
            'backend: "onnxruntime"',
            f"max_batch_size: {BATCH}",
            *_tensors("input", {tensor: ("FP32", shape) for tensor, shape in inputs.items()}),
            *_tensors("output", {tensor: ("FP32", shape) for tensor, shape in outputs.items()}),
            placement.group(),
            "dynamic_batching {",
            "  default_queue_policy {",
            f"    timeout_action: REJECT, default_timeout_microseconds: {_DEADLINE}, max_queue_size: {_QUEUE}",
            "  }",
            "}",
            "# Several instances of one thread draw faster than one instance of several threads.",
            *_parameters({"intra_op_thread_count": "1", "sha256": artifact.sha256}),
            *(_warm_up(f"{size} images", size, inputs) for size in (1, BATCH)),
            "",
        ]
    )


def digits_config(name: str, model: str, placement: Placement) -> str:
    """Return the configuration of digits.py, which draws with `model`."""
    request = {"seed": ("UINT64", [1]), "start": ("UINT64", [1]), "n": ("UINT32", [1]), "digit": ("INT32", [-1])}
    return "\n".join(
        [
            f"name: {_text(name)}",
            'backend: "python"',
            "max_batch_size: 0  # a request has n images",
            *_tensors("input", request, optional=("start", "n", "digit")),
            *_tensors("output", {"image": ("UINT8", [-1, 28, 28])}),
            placement.group(gpus="0"),  # where `mnistgen.load` opens its session
            *_parameters({"model": model}),
            'model_warmup [{ name: "a digit", inputs { key: "seed"'
            " value { data_type: TYPE_UINT64, dims: [1], zero_data: true } } }]",
            "",
        ]
    )


def _tensors(kind: str, tensors: dict[str, tuple[str, list]], optional: tuple[str, ...] = ()) -> list[str]:
    lines = []
    for name, (datatype, shape) in tensors.items():
        also = ", optional: true" if name in optional else ""
        lines.append(f"{kind} [{{ name: {_text(name)}, data_type: TYPE_{datatype}, dims: {list(shape)}{also} }}]")
    return lines


def _parameters(values: dict[str, str]) -> list[str]:
    return [
        f"parameters {{ key: {_text(key)} value {{ string_value: {_text(value)} }} }}" for key, value in values.items()
    ]


def _warm_up(name: str, batch: int, inputs: dict[str, list]) -> str:
    """Return a sample of zeros that Triton runs before it says that the model is ready."""
    tensors = "".join(
        f"\n  inputs {{ key: {_text(tensor)} value {{ data_type: TYPE_FP32, dims: {list(shape)}, zero_data: true }} }}"
        for tensor, shape in inputs.items()
    )
    return f"model_warmup [{{\n  name: {_text(name)}, batch_size: {batch}{tensors}\n}}]"


def _text(value: str) -> str:
    """Return a string literal, which is written as in JSON."""
    return json.dumps(value)
