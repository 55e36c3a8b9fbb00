"""Export: verified, reproducible, and all or nothing."""

import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from conftest import MODELS, ROOT, TRAINED
from safetensors.torch import load_file, save_file

import mnistgen
from export import onnx as command
from export import weights
from export.graphs import convert
from export.graphs.models import GRAPHS
from mnistgen.manifest import Manifest


@pytest.fixture
def shipped(tmp_path) -> Path:
    """A folder like artifacts/ that holds the weights only."""
    copy = tmp_path / "artifacts"
    shutil.copytree(ROOT / "artifacts" / "weights", copy / "weights")
    return copy


@pytest.fixture
def export(tmp_path, shipped):
    """Runs `python -m export.onnx` with arguments; returns exit code and output."""

    def run(*arguments):
        options = ["--artifacts", str(shipped), "--checkpoints", str(tmp_path / "checkpoints")]
        done = CliRunner().invoke(command.main, [*arguments, *options])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.output

    return run


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_exporting_the_committed_weights_gives_the_committed_artifacts_byte_for_byte(export, shipped):
    code, output = export("--all")
    assert code == 0, output
    for name in MODELS:
        assert (shipped / f"{name}.onnx").read_bytes() == (ROOT / "artifacts" / f"{name}.onnx").read_bytes()
        original = name.removesuffix("-int8")
        assert f"{name}: weights from {shipped / 'weights' / original}.safetensors" in output
    assert list(json.loads((shipped / "manifest.json").read_text())["models"]) == list(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_a_file_explains_itself(name):
    content = (ROOT / "artifacts" / f"{name}.onnx").read_bytes()
    model = onnx.load_from_string(content)
    facts = {entry.key: entry.value for entry in model.metadata_props}
    shipped = Manifest(ROOT / "artifacts").model(name)
    assert facts == {
        "schema": "1.0",
        "model": name,
        "latent_size": str(shipped.latent_size),
        "classes": str(shipped.classes),
        "value_range": "[0.0, 1.0]",
        "training_data": "MNIST, training set",
        "recipe": shipped.recipe,
        "epochs": str(shipped.epochs),
        "git_revision": shipped.git_revision,
        "weights_sha256": shipped.weights_sha256,
    }
    assert (model.ir_version, [(o.domain, o.version) for o in model.opset_import]) == (8, [("", 18)])
    inputs = {"z": shipped.latent_size, **({"label": 10} if name.startswith("cgan") else {})}
    for value, width in zip(model.graph.input, inputs.values(), strict=True):
        batch, size = value.type.tensor_type.shape.dim
        assert (batch.dim_param, size.dim_value) == ("N", width)
    assert [value.name for value in model.graph.input] == list(inputs)
    (image,) = model.graph.output
    dims = image.type.tensor_type.shape.dim
    assert (image.name, dims[0].dim_param, [d.dim_value for d in dims[1:]]) == ("image", "N", [1, 28, 28])
    assert not any(tensor.external_data for tensor in model.graph.initializer)


@pytest.mark.parametrize("name", MODELS)
def test_a_file_holds_no_path_and_no_stack_trace(name):
    model = onnx.load(ROOT / "artifacts" / f"{name}.onnx")
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    for tensor in model.graph.initializer:
        tensor.raw_data = b""  # in which any short string occurs by chance
    content = model.SerializeToString()
    for trace in (b".py", b"/home", b"/root", b"/work", b"site-packages", b"Traceback"):
        assert trace not in content


def test_the_eight_bit_form_has_weights_of_eight_bits_and_inputs_and_output_of_32():
    model = onnx.load(ROOT / "artifacts" / "cgan-int8.onnx")
    kinds = [tensor.data_type for tensor in model.graph.initializer if tensor.name.endswith("weight_quantized")]
    assert kinds == [onnx.TensorProto.INT8] * 8
    values = [*model.graph.input, *model.graph.output]
    assert {value.type.tensor_type.elem_type for value in values} == {onnx.TensorProto.FLOAT}


def test_one_model_is_exported_beside_the_others(export, shipped):
    export("--all")
    before = contents(shipped)
    code, _ = export("--model", "vae")
    assert code == 0
    assert contents(shipped) == before


def test_a_finished_training_is_preferred_and_its_weights_kept_with_the_artifacts(export, shipped, tmp_path):
    folder = tmp_path / "checkpoints" / "vae"
    folder.mkdir(parents=True)
    tensors = load_file(shipped / "weights" / "vae.safetensors")
    facts = weights.read("vae", shipped / "weights" / "vae.safetensors").facts
    tensors["decoder.7.bias"] += 1
    save_file(tensors, folder / "weights.safetensors", {"mnistgen": json.dumps({**facts, "epochs": 31})})
    code, output = export("--model", "vae")
    assert code == 0
    assert f"vae: weights from {folder / 'weights.safetensors'} (tuned recipe, 31 epochs)" in output
    assert Manifest(shipped).model("vae").epochs == 31
    assert (shipped / "weights" / "vae.safetensors").read_bytes() == (folder / "weights.safetensors").read_bytes()
    exported = mnistgen.load("vae", artifacts=shipped)
    assert (exported.generate(5) != mnistgen.load("vae").generate(5)).any()


def test_an_onnx_file_that_differs_from_pytorch_is_not_written(export, shipped, monkeypatch):
    export("--all")
    before = contents(shipped)

    def wrong(graph, module, metadata):
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.mul_(1.001)
        content = convert_unpatched(graph, module, metadata)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.div_(1.001)
        return content

    convert_unpatched = convert.convert
    monkeypatch.setattr(convert, "convert", wrong)
    code, output = export("--all")
    assert code == 1
    assert "apart, more than 1e-05: nothing written" in output
    assert contents(shipped) == before


def test_weights_that_are_not_numbers_are_not_written(export, shipped):
    path = shipped / "weights" / "vae.safetensors"
    tensors, facts = load_file(path), weights.read("vae", path).facts
    tensors["decoder.7.bias"] *= float("nan")
    save_file(tensors, path, {"mnistgen": json.dumps(facts)})
    code, output = export("--all")
    assert code == 1
    assert "nan apart" in output
    assert not (shipped / "manifest.json").exists()


def test_a_file_that_cannot_be_replaced_leaves_the_others(export, shipped):
    export("--all")
    (shipped / "gan.onnx").unlink()
    (shipped / "gan.onnx").mkdir()
    before = contents(shipped)
    code, output = export("--all")
    assert code == 1
    assert "gan.onnx cannot be written (Is a directory): nothing was changed" in output
    assert contents(shipped) == before


def test_a_disk_that_refuses_leaves_the_former_artifacts(export, shipped, monkeypatch):
    export("--all")
    before = contents(shipped)
    calls = []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    code, output = export("--all")
    assert code == 1
    assert "cannot be written (No space left on device): nothing was changed" in output
    assert contents(shipped) == before


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.unlink(), "There are no weights of the vae"),
        (lambda path: path.write_bytes(path.read_bytes()[:1000]), "damaged or not written by our training"),
        (lambda path: save_file({"decoder.0.weight": torch.zeros(1)}, path), "not written by our training"),
        (lambda path: shutil.copy(path.with_name("gan.safetensors"), path), "holds weights of the gan, not of the vae"),
        (
            lambda path: save_file({"decoder.0.weight": torch.zeros(1)}, path, {"mnistgen": '{"model": "vae"}'}),
            "not written by our training",
        ),
        (lambda path: save_file({"a": torch.zeros(1)}, path, {"mnistgen": "[]"}), "not written by our training"),
    ],
    ids=["missing", "truncated", "foreign", "another model's", "few facts", "no facts"],
)
def test_weights_that_are_not_ours_are_told_and_nothing_changes(export, shipped, spoil, words):
    spoil(shipped / "weights" / "vae.safetensors")
    before = contents(shipped)
    code, output = export("--all")
    assert code == 1
    assert words in output
    assert contents(shipped) == before


def test_weights_of_another_network_are_told(export, shipped):
    path = shipped / "weights" / "vae.safetensors"
    facts = weights.read("vae", path).facts
    save_file({"decoder.0.weight": torch.zeros(1)}, path, {"mnistgen": json.dumps(facts)})
    code, output = export("--all")
    assert code == 1
    assert "does not fit the network of this version" in output


def test_an_artifacts_folder_that_cannot_be_written_is_told(tmp_path, shipped):
    (tmp_path / "file").write_text("")
    shutil.move(shipped / "weights", tmp_path / "checkpoints")
    for name in TRAINED:
        (tmp_path / "checkpoints" / name).mkdir()
        shutil.move(
            tmp_path / "checkpoints" / f"{name}.safetensors", tmp_path / "checkpoints" / name / "weights.safetensors"
        )
    options = ["--artifacts", str(tmp_path / "file"), "--checkpoints", str(tmp_path / "checkpoints")]
    done = CliRunner().invoke(command.main, ["--all", *options])
    assert done.exit_code == 1
    assert "cannot be written" in done.output
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize("arguments", [[], ["--all", "--model", "vae"], ["--model", "dcgan"]])
def test_it_must_be_said_what_to_export(export, arguments):
    assert export(*arguments)[0] == 2


def test_the_graphs_give_pixels_in_the_unit_range():
    for name, graph in GRAPHS.items():
        module = graph.build(weights.read(name, ROOT / "artifacts" / "weights" / f"{name}.safetensors"))
        inputs = [torch.randn(4, width) for width in graph.inputs.values()]
        with torch.inference_mode():
            image = module(*inputs).numpy()
        assert image.shape == (4, 1, 28, 28)
        assert np.all((image >= 0) & (image <= 1))
