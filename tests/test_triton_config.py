"""Triton's own message types parse the configurations of `python -m export.triton`.

tritonclient[grpc] needs another version of protobuf than the checks, so `make serving` runs this, without PyTorch.
"""

import pytest
from conftest import MODELS, ROOT

from export.triton.config import Placement, digits_config, onnx_config
from mnistgen.manifest import Manifest

pytest.importorskip("grpc", reason="needs tritonclient[grpc]: `make serving`")  # without it, the next import fails
protocol = pytest.importorskip("tritonclient.grpc.model_config_pb2", reason="needs tritonclient[grpc]: `make serving`")
text_format = pytest.importorskip("google.protobuf.text_format")

MANIFEST = Manifest(ROOT / "artifacts")
ARTIFACTS = {**MANIFEST.models, "verifier": MANIFEST.verifier}
CPU, GPU = Placement(), Placement("gpu", 3)


def parse(text):
    return text_format.Parse(text, protocol.ModelConfig())  # fails on unknown fields and wrong types


@pytest.mark.parametrize("name", [*MODELS, "verifier"])
def test_model_is_described_as_in_manifest(name):
    found, artifact = parse(onnx_config(name, ARTIFACTS[name], CPU)), ARTIFACTS[name]
    assert (found.name, found.backend, found.max_batch_size) == (name, "onnxruntime", 16)
    assert found.HasField("dynamic_batching")
    assert found.parameters["intra_op_thread_count"].string_value == "1"
    assert found.parameters["sha256"].string_value == artifact.sha256
    for tensors, shapes in ((found.input, artifact.inputs), (found.output, artifact.outputs)):
        assert {tensor.name: ["N", *tensor.dims] for tensor in tensors} == shapes
        assert {tensor.data_type for tensor in tensors} == {protocol.TYPE_FP32}


@pytest.mark.parametrize("name", [*MODELS, "verifier"])
def test_warm_up_has_every_input(name):
    found = parse(onnx_config(name, ARTIFACTS[name], CPU))
    assert [sample.batch_size for sample in found.model_warmup] == [1, 16]
    for sample in found.model_warmup:
        inputs = {tensor: ["N", *value.dims] for tensor, value in sample.inputs.items()}
        assert inputs == ARTIFACTS[name].inputs
        assert all(value.data_type == protocol.TYPE_FP32 and value.zero_data for value in sample.inputs.values())


def test_digits_has_the_arguments_of_generate():
    found = parse(digits_config("digits", "cgan", CPU))
    assert (found.name, found.backend, found.max_batch_size) == ("digits", "python", 0)
    assert [(tensor.name, tensor.data_type, [*tensor.dims], tensor.optional) for tensor in found.input] == [
        ("seed", protocol.TYPE_UINT64, [1], False),
        ("start", protocol.TYPE_UINT64, [1], True),
        ("n", protocol.TYPE_UINT32, [1], True),
        ("digit", protocol.TYPE_INT32, [-1], True),
    ]
    assert [(tensor.name, tensor.data_type, [*tensor.dims]) for tensor in found.output] == [
        ("image", protocol.TYPE_UINT8, [-1, 28, 28])
    ]
    assert found.parameters["model"].string_value == "cgan"


def test_devices_and_instances():
    kinds = protocol.ModelInstanceGroup
    for placement, kind, count in ((CPU, kinds.KIND_CPU, 1), (GPU, kinds.KIND_GPU, 3)):
        (group,) = parse(onnx_config("vae", ARTIFACTS["vae"], placement)).instance_group
        assert (group.kind, group.count, [*group.gpus]) == (kind, count, [])
        (group,) = parse(digits_config("digits", "cgan", placement)).instance_group
        assert (group.kind, group.count, [*group.gpus]) == (kind, count, [0] if kind == kinds.KIND_GPU else [])
