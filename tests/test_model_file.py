"""ONNX files of your own: accepted if they fulfil contract C2, rejected in one line if not."""

import numpy as np
import onnx_writer as w
import pytest
from conftest import MODELS, ROOT

import mnistgen
from mnistgen.inference.onnx_scan import check_self_contained

METADATA = {"schema": "1.0", "model": "mine", "latent_size": "2", "classes": "0", "value_range": "[0.0, 1.0]"}
IMAGE = ["N", 1, 28, 28]


def weights(width, seed=0):
    return np.random.default_rng(seed).normal(size=width * 784).tolist()


def model(path, metadata=METADATA, width=2, label=None, rows="N", name="image", ends="Sigmoid", kind=w.FLOAT):
    """Write a model of one layer that draws noise; each argument can break the contract."""
    inputs = [w.value_info("z", [rows, width])]
    nodes = [w.node("MatMul", ["z", "weights"], ["product"])]
    tensors = [w.tensor("weights", [width, 784], weights(width))]
    if label is not None:
        inputs.append(w.value_info("label", ["N", label]))
        tensors.append(w.tensor("more", [label, 784], weights(label, seed=1)))
        nodes.append(w.node("MatMul", ["label", "more"], ["other"]))
    tensors.append(w.tensor("shape", [4], [-1, 1, 28, 28], w.INT64))
    nodes += [
        w.node("Add", ["product", "product" if label is None else "other"], ["sum"]),
        w.node(ends, ["sum"], ["pixels"]),
        w.node("Reshape", ["pixels", "shape"], ["drawn"]),
        w.node("Cast", ["drawn"], [name], w.attribute("to", 2, 3, kind)),
    ]
    path.write_bytes(w.model(nodes, inputs, [w.value_info(name, [rows, *IMAGE[1:]], kind)], tensors, metadata))
    return path


def custom(path, nodes, tensors=(), *graph_fields):
    """Write a model with the nodes from `z` to `image`."""
    inputs, outputs = [w.value_info("z", ["N", 2])], [w.value_info("image", IMAGE)]
    path.write_bytes(w.model(nodes, inputs, outputs, list(tensors), METADATA, *graph_fields))
    return path


def test_own_model_draws(tmp_path):
    gen = mnistgen.Generator.from_file(model(tmp_path / "mine.onnx"), device="cpu", threads=1)
    assert gen.generate(3, seed=1).shape == (3, 28, 28)
    np.testing.assert_array_equal(gen.generate(seed=1, start=2)[0], gen.generate(3, seed=1)[2])
    assert (gen.model.name, gen.model.classes, gen.model.latent_size) == ("mine", 0, 2)
    assert repr(gen) == f"mnistgen.Generator.from_file({str(tmp_path / 'mine.onnx')!r}, device='cpu')"
    labelled = model(tmp_path / "labelled.onnx", METADATA | {"classes": "10"}, label=10)
    assert mnistgen.Generator.from_file(labelled).generate(2, digit=[3, 8]).shape == (2, 28, 28)


@pytest.mark.parametrize("name", MODELS)
def test_shipped_models_load_by_path(name):
    by_path = mnistgen.Generator.from_file(ROOT / "artifacts" / f"{name}.onnx", device="cpu")
    by_name = mnistgen.load(name, device="cpu")
    np.testing.assert_array_equal(by_path.generate(3, seed=1), by_name.generate(3, seed=1))
    assert by_path.model.sha256 == by_name.model.sha256


def without(key):
    return {"metadata": {k: v for k, v in METADATA.items() if k != key}}


BROKEN = [
    (without("schema"), "no key schema"),
    (without("value_range"), "no key value_range"),
    ({"metadata": METADATA | {"schema": "2.0"}}, "schema is '2.0'; expected 1.0"),
    ({"metadata": METADATA | {"model": "../x"}}, "model is '../x';"),
    ({"metadata": METADATA | {"latent_size": "many"}}, "latent_size is 'many'; expected an integer from 1 to 65536"),
    ({"metadata": METADATA | {"latent_size": "9" * 99}}, "latent_size is '9999"),
    ({"metadata": METADATA | {"latent_size": "3"}}, "its inputs are 'z tensor(float) ['N', 2]'"),
    ({"metadata": METADATA | {"classes": "7"}}, "classes is 7; expected 0 or 10"),
    ({"metadata": METADATA | {"classes": "10"}}, "label tensor(float) ['N', 10]"),
    ({"metadata": METADATA | {"value_range": "[-1.0, 1.0]"}}, "value_range is '[-1.0, 1.0]'; expected [0.0, 1.0]"),
    ({"metadata": METADATA | {"value_range": "[" * 9999}}, "value_range is '[[[["),
    ({"label": 10}, "its inputs are"),
    ({"rows": 1}, "its inputs are 'z tensor(float) [1, 2]'"),
    ({"name": "picture"}, "its outputs are 'picture tensor(float) ['N', 1, 28, 28]'"),
    ({"kind": w.DOUBLE}, "its outputs are 'image tensor(double)"),
    ({"ends": "Tanh"}, "range from -"),
    ({"ends": "Log"}, "range from nan to nan"),
]


@pytest.mark.parametrize(("changes", "words"), BROKEN)
def test_broken_contract_is_rejected(run, folder, changes, words):
    path = model(folder / "mine.onnx", **changes)
    code, out, err = run("--model-path", str(path), "--out", "x.png")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert str(path) in err
    assert words in err.replace('"', "'")
    assert not (folder / "x.png").exists()


def test_missing_or_damaged_file_is_rejected(run, folder):
    (folder / "x.onnx").write_bytes(b"damaged")
    code, out, err = run("--model-path", "x.onnx")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "x.onnx" in err
    for name, code in (("x.onnx", "model-refused"), ("missing.onnx", "model-missing")):
        with pytest.raises(mnistgen.ArtifactError) as caught:
            mnistgen.Generator.from_file(name)
        assert caught.value.code == code


SECRET = "/etc/passwd"
EXTERNAL = w.external("weights", [2, 784], SECRET, length=6272)
DENSE = w.tensor("weights", [2, 784], weights(2))
SHAPE = w.tensor("shape", [4], [-1, 1, 28, 28], w.INT64)
DRAW = [
    w.node("MatMul", ["z", "weights"], ["sum"]),
    w.node("Sigmoid", ["sum"], ["pixels"]),
    w.node("Reshape", ["pixels", "shape"], ["image"]),
]


def dense_with(field):
    return w.tensor("weights", [2, 784], weights(2), w.FLOAT, field)


def constant(*attributes):
    return w.node("Constant", [], ["weights"], *attributes)


def branch(tensor):
    """Return an If node whose branches hold `tensor` as an initializer and in a constant."""
    graphs = [
        w.message((2, name), (5, tensor), (1, w.node("Identity", ["weights"], [f"{name}_out"])))
        for name in ("then_branch", "else_branch")
    ]
    return w.node("If", ["condition"], ["weights_out"], *(w.attribute("then_branch", 5, 6, graph) for graph in graphs))


HIDDEN = {
    "initializer": lambda path: custom(path, DRAW, [EXTERNAL, SHAPE]),
    "constant": lambda path: custom(path, [constant(w.attribute("value", 4, 5, EXTERNAL)), *DRAW], [SHAPE]),
    "list of tensors": lambda path: custom(path, [constant(w.attribute("value", 9, 10, EXTERNAL)), *DRAW], [SHAPE]),
    "subgraph": lambda path: custom(path, [branch(EXTERNAL), *DRAW], [DENSE, SHAPE]),
    "location only": lambda path: custom(path, DRAW, [dense_with((14, 1)), SHAPE]),
    "entries only": lambda path: custom(path, DRAW, [dense_with((13, w.message((1, "location"), (2, "x")))), SHAPE]),
    "memory address": lambda path: custom(
        path, DRAW, [w.external("weights", [2, 784], "*/_ORT_MEM_ADDR_/*", length=6272), SHAPE]
    ),
    "sparse initializer": lambda path: custom(path, DRAW, [SHAPE], (15, w.message((1, DENSE), (2, SHAPE)))),
    "sparse constant": lambda path: custom(
        path, [constant(w.attribute("sparse_value", 11, 22, w.message((1, DENSE), (2, SHAPE)))), *DRAW], [SHAPE]
    ),
}


@pytest.mark.parametrize("hidden", HIDDEN)
def test_other_files_are_never_read(run, folder, hidden):
    path = HIDDEN[hidden](folder / "leak.onnx")
    code, out, err = run("--model-path", str(path), "--out", "leak.npy")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert [file.name for file in folder.iterdir()] == ["leak.onnx"]
    with pytest.raises(mnistgen.ArtifactError) as caught:
        check_self_contained(path.read_bytes())
    assert caught.value.code == "model-not-self-contained"


def test_external_data_in_functions_and_training_is_found():
    function = w.message((1, "f"), (7, constant(w.attribute("value", 4, 5, EXTERNAL))))
    training = w.message((1, w.message((5, EXTERNAL))))
    for field in ((25, function), (20, training), (7, w.message((5, EXTERNAL), (5, DENSE)))):
        with pytest.raises(mnistgen.ArtifactError) as caught:
            check_self_contained(w.message((1, 8), field))
        assert caught.value.code == "model-not-self-contained"


@pytest.mark.parametrize("name", [*MODELS, "verifier"])
def test_shipped_models_are_self_contained(name):
    check_self_contained((ROOT / "artifacts" / f"{name}.onnx").read_bytes())


@pytest.mark.parametrize(
    "content",
    [
        b"damaged",
        b"\x3b",  # a group
        b"\x3a\x05\x00",  # a graph beyond the end
        b"\xff" * 11,  # an endless integer
        w.message((7, 5)),  # a graph that is an integer
    ],
)
def test_scan_rejects_damaged_files(content):
    with pytest.raises(mnistgen.ArtifactError) as caught:
        check_self_contained(content)
    assert caught.value.code == "model-refused"


def test_scan_rejects_deep_nesting():
    graph = w.message((2, "deepest"))
    for _ in range(200):
        graph = w.message((1, w.node("If", ["c"], ["o"], w.attribute("then_branch", 5, 6, graph))))
    with pytest.raises(mnistgen.ArtifactError):
        check_self_contained(w.message((7, graph)))


FIRST_TWO = [
    w.node("MatMul", ["z", "weights"], ["sum"]),
    w.node("Sigmoid", ["sum"], ["pixels"]),
    w.node("Slice", ["pixels", "zero", "two"], ["first"]),
    w.node("Reshape", ["first", "shape"], ["image"]),
]
ZERO, TWO = (w.tensor(name, [1], [value], w.INT64) for name, value in (("zero", 0), ("two", 2)))
BATCH_DEPENDENT = {
    "two images": lambda path: custom(path, FIRST_TWO, [DENSE, SHAPE, ZERO, TWO]),
    "values grow": lambda path: custom(
        path,
        [
            w.node("Shape", ["z"], ["size"], w.attribute("end", 2, 3, 1)),
            w.node("Cast", ["size"], ["n"], w.attribute("to", 2, 3, w.FLOAT)),
            w.node("Sub", ["n", "limit"], ["excess"]),
            w.node("MatMul", ["z", "weights"], ["sum"]),
            w.node("Sigmoid", ["sum"], ["grey"]),
            w.node("Relu", ["excess"], ["more"]),
            w.node("Add", ["grey", "more"], ["pixels"]),
            w.node("Reshape", ["pixels", "shape"], ["image"]),
        ],
        [DENSE, SHAPE, w.tensor("limit", [1], [2.0])],
    ),
}


@pytest.mark.parametrize("kind", BATCH_DEPENDENT)
def test_every_run_is_checked(run, folder, kind):
    path = BATCH_DEPENDENT[kind](folder / "mine.onnx")
    gen = mnistgen.Generator.from_file(path, device="cpu")
    assert gen.generate(2).shape == (2, 28, 28)
    with pytest.raises(mnistgen.MnistgenError) as caught:
        gen.generate(5)
    assert caught.value.code in ("model-output-invalid", "run-failed")
    code, out, err = run("--model-path", str(path), "--n", "5")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert [file.name for file in folder.iterdir()] == ["mine.onnx"]


def test_empty_output_is_rejected(tmp_path):
    empty = w.tensor("shape", [4], [0, 1, 28, 28], w.INT64)
    nodes = [w.node("MatMul", ["z", "weights"], ["sum"]), w.node("Shape", ["sum"], ["size"])]
    nodes.append(w.node("ConstantOfShape", ["shape"], ["image"]))
    with pytest.raises(mnistgen.ArtifactError) as caught:
        mnistgen.Generator.from_file(custom(tmp_path / "x.onnx", nodes, [DENSE, empty]))
    assert caught.value.code in ("model-output-invalid", "model-invalid")


def test_names_must_be_utf8(run, folder):
    content = model(folder / "mine.onnx").read_bytes()
    (folder / "x.onnx").write_bytes(content.replace(b"image", b"im\xffge"))
    code, out, err = run("--model-path", "x.onnx")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "UTF-8" in err


def test_changed_file_is_rejected(tmp_path):
    from mnistgen.model_file import ModelFile

    file = ModelFile(model(tmp_path / "mine.onnx"))
    model(tmp_path / "mine.onnx", METADATA | {"model": "other"})
    with pytest.raises(mnistgen.ArtifactError) as caught:
        file.read_bytes(file.only)
    assert caught.value.code == "model-hash-mismatch"


def test_command_draws_from_model_path(run, folder):
    path = model(folder / "file.onnx")
    assert run("--model-path", str(path), "--n", "2", "--seed", "1", "--quiet") == (0, "", "")
    assert (folder / "mine-n2-seed1.png").exists()
    code, _, err = run("--model-path", str(path), "--model", "cgan")
    assert (code, "--model-path" in err) == (2, True)
    code, _, err = run("--model-path", str(path), "--digit", "5")
    assert (code, "The mine is unconditional" in err) == (2, True)
