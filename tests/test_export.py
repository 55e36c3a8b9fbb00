"""Export to ONNX: verified, reproducible, and all or nothing."""

import errno
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from conftest import MODELS, ROOT, TRAINED
from safetensors.torch import load_file, save_file

import mnistgen
from export import label_map, verifier, weights
from export import onnx as command
from export.graphs import clean, convert
from export.graphs.batch import fix_batch
from export.graphs.models import GRAPHS
from export.quality import command as quality
from export.report import command as report
from mnistgen.inference.session import open_session
from mnistgen.latents import one_hot
from mnistgen.manifest import Manifest
from training.files import locked

ARTIFACTS = ROOT / "artifacts"
Run = Callable[..., tuple[int, str]]


def run_export(artifacts: Path, checkpoints: Path, *arguments: str) -> tuple[int, str]:
    """Run `python -m export.onnx` in this process; return the exit code and the output."""
    options = ["--artifacts", str(artifacts), "--checkpoints", str(checkpoints)]
    done = CliRunner().invoke(command.main, [*arguments, *options])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> tuple[Path, str]:
    """The folder and the output of one export of all models from the committed weights."""
    folder = tmp_path_factory.mktemp("exported") / "artifacts"
    shutil.copytree(ARTIFACTS / "weights", folder / "weights")
    code, output = run_export(folder, folder / "none", "--all")
    assert code == 0, output
    return folder, output


@pytest.fixture
def folder(tmp_path) -> Path:
    """A copy of the artifacts: weights, models and manifest."""
    copy = tmp_path / "artifacts"
    copy.mkdir()
    shutil.copytree(ARTIFACTS / "weights", copy / "weights", ignore=shutil.ignore_patterns("seed"))
    for file in (*ARTIFACTS.glob("*.onnx"), ARTIFACTS / "manifest.json"):
        shutil.copy(file, copy)
    return copy


@pytest.fixture
def export(tmp_path, folder) -> Run:
    """Run `python -m export.onnx` on the copy of the artifacts."""
    return lambda *arguments: run_export(folder, tmp_path / "checkpoints", *arguments)


@pytest.fixture
def committed_builds(monkeypatch) -> None:
    """Replace the conversion, where it is not the subject, by the committed files, which it would reproduce."""
    manifest = Manifest(ARTIFACTS)
    models = {name: (manifest.read_bytes(model), model) for name, model in manifest.models.items()}
    monkeypatch.setattr(command, "build_model", lambda name, found: models[name])
    monkeypatch.setattr(command, "label_map", lambda content, verifier: manifest.model("vae").label_map)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_export_reproduces_committed_artifacts(exported):
    folder, output = exported
    for name in MODELS:
        assert (folder / f"{name}.onnx").read_bytes() == (ARTIFACTS / f"{name}.onnx").read_bytes()
        base = name.partition("-")[0]
        assert f"{name}: weights from {folder / 'weights' / base}.safetensors" in output
    assert list(json.loads((folder / "manifest.json").read_text())["models"]) == list(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_files_describe_themselves(name):
    model = onnx.load(ARTIFACTS / f"{name}.onnx")
    facts = {entry.key: entry.value for entry in model.metadata_props}
    listed = Manifest(ARTIFACTS).model(name)
    assert facts == {
        "schema": "1.0",
        "model": name,
        "latent_size": str(listed.latent_size),
        "classes": str(listed.classes),
        "value_range": "[0.0, 1.0]",
        "training_data": "MNIST, training set",
        "recipe": listed.recipe,
        "epochs": str(listed.epochs),
        "git_revision": listed.git_revision,
        "weights_sha256": listed.weights_sha256,
    }
    assert (model.ir_version, [(o.domain, o.version) for o in model.opset_import]) == (7, [("", 13)])
    inputs = {"z": listed.latent_size, **({"label": 10} if name.startswith("cgan") else {})}
    for value, width in zip(model.graph.input, inputs.values(), strict=True):
        batch, size = value.type.tensor_type.shape.dim
        assert (batch.dim_param, size.dim_value) == ("N", width)
    assert [value.name for value in model.graph.input] == list(inputs)
    (image,) = model.graph.output
    dims = image.type.tensor_type.shape.dim
    assert (image.name, dims[0].dim_param, [d.dim_value for d in dims[1:]]) == ("image", "N", [1, 28, 28])
    assert not any(tensor.external_data for tensor in model.graph.initializer)


@pytest.mark.parametrize("main", [command.main, quality.main])
@pytest.mark.parametrize("options", [[], ["--all", "--model", "cgan"]])
def test_all_excludes_model(tmp_path, main, options):
    done = CliRunner().invoke(main, [*options, "--artifacts", str(tmp_path / "artifacts")])
    assert (done.exit_code, done.output.count("Give either --all, or --model")) == (2, 1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [*MODELS, "verifier"])
def test_files_are_clean(name):
    model = onnx.load(ARTIFACTS / f"{name}.onnx")
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    described = {value.name for value in (*model.graph.value_info, *model.graph.output)}
    assert all(value.doc_string for value in (*model.graph.input, *model.graph.output))
    assert described == {output for node in model.graph.node for output in node.output}
    assert not [key for key in constants if key.startswith(("val_", "getitem"))]
    for node in model.graph.node:
        assert "allowzero" not in [attribute.name for attribute in node.attribute]
        if node.op_type == "DequantizeLinear" and node.input[0] in constants:
            assert constants[node.input[0]].dtype != np.int32 or len(node.input) == 2
    again = onnx.ModelProto.FromString(model.SerializeToString())
    clean.clean(again)
    assert again == model


@pytest.mark.parametrize("name", ["vae", "gan", "cgan", "verifier"])
def test_kernels_are_stored(name):
    graph = onnx.load(ARTIFACTS / f"{name}.onnx").graph
    stored = {tensor.name for tensor in graph.initializer}
    kernels = [node.input[1] for node in graph.node if node.op_type in ("Conv", "ConvTranspose", "Gemm")]
    assert kernels
    assert set(kernels) <= stored


@pytest.mark.parametrize("name", MODELS)
def test_files_hold_no_paths_or_stack_traces(name):
    model = onnx.load(ARTIFACTS / f"{name}.onnx")
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    for tensor in model.graph.initializer:
        tensor.raw_data = b""  # any short string can occur in it by chance
    content = model.SerializeToString()
    for trace in (b".py", b"/home", b"/root", b"/work", b"site-packages", b"Traceback"):
        assert trace not in content


def test_int8_model_has_int8_weights():
    model = onnx.load(ARTIFACTS / "cgan-int8.onnx")
    kinds = [tensor.data_type for tensor in model.graph.initializer if tensor.name.endswith("weight.quantized")]
    assert kinds == [onnx.TensorProto.INT8] * 8
    values = [*model.graph.input, *model.graph.output]
    assert {value.type.tensor_type.elem_type for value in values} == {onnx.TensorProto.FLOAT}


def test_map_of_digits_agrees_with_the_verifier(monkeypatch):
    monkeypatch.setattr(label_map, "SIDE", 16)
    manifest = Manifest(ARTIFACTS)
    model = manifest.model("vae")
    rows = label_map.label_map(manifest.read_bytes(model), manifest.read_verifier())
    assert [len(row) for row in rows] == [16] * 16
    committed = [line[4::8] for line in model.label_map[4::8]]  # the cells around the same latents
    cells = [
        (few, many) for row, line in zip(rows, committed, strict=True) for few, many in zip(row, line, strict=True)
    ]
    assert sum(few == many for few, many in cells) > 0.8 * len(cells)


def test_damaged_verifier_stops_the_export(export, folder, committed_builds):
    (folder / "verifier.onnx").write_bytes(b"")
    code, output = export("--model", "vae")
    assert code == 1
    assert "Run python -m export.verifier first." in output


def test_one_model_is_exported_alone(export, folder):
    before = contents(folder)
    (folder / "vae.onnx").unlink()
    assert export("--model", "vae")[0] == 0
    after = contents(folder)
    assert {name for name in before if before[name] != after[name]} <= {"manifest.json"}
    manifests = [json.loads(files["manifest.json"]) for files in (before, after)]
    for manifest in manifests:
        verification = manifest["models"]["vae"]["verification"]
        del verification["largest_difference"], verification["versions"]["torch"]  # depend on the machine
    assert manifests[0] == manifests[1]


def test_finished_training_is_preferred(export, folder, tmp_path):
    trained = tmp_path / "checkpoints" / "vae" / "weights.safetensors"
    trained.parent.mkdir(parents=True)
    tensors = load_file(folder / "weights" / "vae.safetensors")
    facts = weights.read("vae", folder / "weights" / "vae.safetensors").facts
    tensors["decoder.7.bias"] += 1
    save_file(tensors, trained, {"mnistgen": json.dumps({**facts, "epochs": 31})})
    code, output = export("--model", "vae")
    assert code == 0
    assert f"vae: weights from {trained} (tuned recipe, 31 epochs)" in output
    model = Manifest(folder).model("vae")
    assert (model.epochs, model.quality) == (31, {})  # the certificate belonged to another file
    assert (folder / "weights" / "vae.safetensors").read_bytes() == trained.read_bytes()
    other = mnistgen.load("vae", artifacts=folder)
    assert (other.generate(5) != mnistgen.load("vae").generate(5)).any()


@pytest.fixture
def train_again(folder, tmp_path) -> Callable[..., None]:
    """Put changed weights of the VAE into the checkpoints, with other facts about their training."""

    def write(**facts: object) -> None:
        committed = folder / "weights" / "vae.safetensors"
        tensors, former = load_file(committed), weights.read("vae", committed).facts
        tensors["decoder.7.bias"] += 1
        trained = tmp_path / "checkpoints" / "vae" / "weights.safetensors"
        trained.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, trained, {"mnistgen": json.dumps({**former, **facts})})

    return write


@pytest.mark.parametrize("certified", [True, False])
@pytest.mark.parametrize(
    "facts",
    [{"recipe": "lesson"}, {"recipe": "custom"}, {"training_data": "MNIST, training set, first 2000 images"}],
    ids=["lesson", "custom", "limited"],
)
def test_short_training_in_shipped_files_is_warned_of(export, folder, train_again, facts, certified):
    if not certified:
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["models"]["vae"].pop("quality")
        (folder / "manifest.json").write_text(json.dumps(manifest))
    train_again(**facts)
    code, output = export("--model", "vae")
    assert code == 0
    warning = output[output.index("WARNING") :]
    for name in ("vae.onnx", "weights/vae.safetensors", "manifest.json"):
        assert f"  {folder / name}\n" in warning
    assert f"git checkout {folder}" in warning
    assert ("replaces a certified model" in warning) == certified
    assert Manifest(folder).model("vae").quality == {}


def test_full_training_is_warned_of_if_it_replaces_a_certificate(export, folder, train_again):
    train_again(epochs=31)
    assert "WARNING" in export("--model", "vae")[1]
    assert Manifest(folder).model("vae").quality == {}
    train_again(epochs=32)
    assert "WARNING" not in export("--model", "vae")[1]


def test_no_warning_without_replaced_certified_models(export, exported, folder, train_again):
    assert "WARNING" not in exported[1]
    assert "WARNING" not in export("--model", "vae")[1]  # the same bytes
    (folder / "manifest.json").unlink()
    train_again(recipe="lesson")
    assert "WARNING" not in export("--model", "vae")[1]  # a separate folder


def test_difference_from_pytorch_writes_nothing(export, folder, monkeypatch):
    def perturbed(graph, module, metadata):
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.mul_(1.001)
        content = convert_unpatched(graph, module, metadata)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.div_(1.001)
        return content

    before = contents(folder)
    convert_unpatched = convert.convert
    monkeypatch.setattr(convert, "convert", perturbed)
    code, output = export("--model", "vae")
    assert code == 1
    assert "expected at most 5e-05" in output
    assert contents(folder) == before


def test_nan_weights_write_nothing(export, folder):
    path = folder / "weights" / "vae.safetensors"
    tensors, facts = load_file(path), weights.read("vae", path).facts
    tensors["decoder.7.bias"] *= float("nan")
    save_file(tensors, path, {"mnistgen": json.dumps(facts)})
    before = contents(folder)
    code, output = export("--all")
    assert code == 1
    assert "is nan; expected at most 5e-05" in output
    assert contents(folder) == before


def test_unreplaceable_file_changes_nothing(export, folder, committed_builds):
    (folder / "gan.onnx").unlink()
    (folder / "gan.onnx").mkdir()
    (folder / "vae.onnx").write_bytes(b"former")
    before = contents(folder)
    code, output = export("--all")
    assert code == 1
    assert "gan.onnx cannot be written (Is a directory)" in output
    assert contents(folder) == before


@pytest.mark.parametrize("failing", range(1, 9))
def test_full_disk_changes_nothing(export, folder, tmp_path, committed_builds, monkeypatch, failing):
    for name in TRAINED:
        weights, trained = folder / "weights" / f"{name}.safetensors", tmp_path / "checkpoints" / name
        trained.mkdir(parents=True)
        shutil.move(weights, trained / "weights.safetensors")
        weights.write_bytes(b"former")
    for name in MODELS:
        (folder / f"{name}.onnx").write_bytes(b"former")
    manifest = folder / "manifest.json"
    manifest.write_bytes(manifest.read_bytes() + b"\n")
    before = contents(folder)
    calls = []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) == failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    code, output = export("--all")
    assert code == 1
    assert "cannot be written (No space left on device)" in output
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.unlink(), "The weights of the vae are missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:1000]), "damaged, or not a weights file"),
        (lambda path: save_file({"decoder.0.weight": torch.zeros(1)}, path), "damaged, or not a weights file"),
        (lambda path: shutil.copy(path.with_name("gan.safetensors"), path), "weights of the 'gan'; expected"),
        (
            lambda path: save_file({"decoder.0.weight": torch.zeros(1)}, path, {"mnistgen": '{"model": "vae"}'}),
            "damaged, or not a weights file",
        ),
        (lambda path: save_file({"a": torch.zeros(1)}, path, {"mnistgen": "[]"}), "damaged, or not a weights file"),
    ],
    ids=["missing", "truncated", "foreign", "other model", "few facts", "no facts"],
)
def test_foreign_weights_change_nothing(export, folder, spoil, words):
    spoil(folder / "weights" / "vae.safetensors")
    before = contents(folder)
    code, output = export("--all")
    assert code == 1
    assert words in output
    assert contents(folder) == before


@pytest.mark.parametrize("change", [{"decoder.0.weight": torch.zeros(1)}, {"density.0.weight": torch.zeros(1)}])
def test_weights_of_another_network_are_rejected(export, folder, change):
    path = folder / "weights" / "vae.safetensors"
    given = weights.read("vae", path)
    save_file({**given.tensors, **change}, path, {"mnistgen": json.dumps(given.facts)})
    code, output = export("--all")
    assert code == 1
    assert f"does not fit the network {next(iter(change)).partition('.')[0]}" in output


@pytest.mark.skipif(sys.platform == "win32", reason="needs locks of POSIX")
@pytest.mark.parametrize(
    ("main", "options"),
    [(command.main, ["--all"]), (verifier.main, []), (quality.main, ["--all"]), (report.main, [])],
    ids=["onnx", "verifier", "quality", "report"],
)
def test_second_export_fails_at_once(tmp_path, main, options):
    with locked(tmp_path):
        done = CliRunner().invoke(main, [*options, "--artifacts", str(tmp_path)])
    assert (done.exit_code, done.output) == (
        1,
        f"Error: Another export is using {tmp_path}. Wait for it, or name another folder with --artifacts.\n",
    )


def test_artifacts_folder_must_be_a_folder(tmp_path, folder, committed_builds):
    (tmp_path / "file").write_text("")
    for name in TRAINED:
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
        shutil.move(folder / "weights" / f"{name}.safetensors", tmp_path / "checkpoints" / name / "weights.safetensors")
    code, output = run_export(tmp_path / "file", tmp_path / "checkpoints", "--all")
    assert code == 1
    assert "cannot be written" in output
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize("arguments", [[], ["--all", "--model", "vae"], ["--model", "dcgan"]])
def test_models_must_be_named(export, arguments):
    assert export(*arguments)[0] == 2


def test_reference_graphs_give_unit_range():
    for name, graph in GRAPHS.items():
        module = graph.build(weights.read(name, ARTIFACTS / "weights" / f"{name}.safetensors"))
        inputs = [torch.randn(4, width) for width in graph.inputs.values()]
        with torch.inference_mode():
            image = module(*inputs).numpy()
        assert image.shape == (4, 1, 28, 28)
        assert np.all((image >= 0) & (image <= 1))


@pytest.mark.parametrize("name", MODELS)
def test_fixed_batch_draws_the_same_images(name):
    content = (ROOT / "artifacts" / f"{name}.onnx").read_bytes()
    fixed = fix_batch(content, 3)
    shapes = [value.type.tensor_type.shape.dim for value in onnx.load_from_string(fixed).graph.value_info]
    assert not any(dimension.dim_param for shape in shapes for dimension in shape)
    generator = mnistgen.load(name, device="cpu")
    inputs = {"z": generator.latents(3, seed=1)}
    if generator.model.classes:
        inputs["label"] = one_hot(np.arange(3))
    (free,), (images,) = (open_session(each, "cpu").run(None, inputs) for each in (content, fixed))
    assert np.array_equal(images, free)
