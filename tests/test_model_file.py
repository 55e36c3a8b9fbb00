"""ONNX files of your own: accepted if they fulfil contract C2, rejected in one line if not."""

import numpy as np
import onnx
import pytest
from conftest import ROOT
from onnx import TensorProto, helper, numpy_helper

import mnistgen

METADATA = {"schema": "1.0", "model": "mine", "latent_size": "2", "classes": "0", "value_range": "[0.0, 1.0]"}


def model(path, metadata=METADATA, width=2, label=None, rows="N", name="image", ends="Sigmoid", kind=TensorProto.FLOAT):
    """Write a model of one layer that draws noise; each argument can break the contract."""
    rng = np.random.default_rng(0)
    inputs = [helper.make_tensor_value_info("z", TensorProto.FLOAT, [rows, width])]
    nodes = [helper.make_node("MatMul", ["z", "weights"], ["product"])]
    weights = [numpy_helper.from_array(rng.normal(size=(width, 784)).astype(np.float32), "weights")]
    if label is not None:
        inputs.append(helper.make_tensor_value_info("label", TensorProto.FLOAT, ["N", label]))
        weights.append(numpy_helper.from_array(rng.normal(size=(label, 784)).astype(np.float32), "more"))
        nodes += [helper.make_node("MatMul", ["label", "more"], ["other"])]
    weights.append(numpy_helper.from_array(np.array([-1, 1, 28, 28]), "shape"))
    added = ["product", "product" if label is None else "other"]
    nodes += [
        helper.make_node("Add", added, ["sum"]),
        helper.make_node(ends, ["sum"], ["pixels"]),
        helper.make_node("Reshape", ["pixels", "shape"], ["drawn"]),
        helper.make_node("Cast", ["drawn"], [name], to=kind),
    ]
    outputs = [helper.make_tensor_value_info(name, kind, [rows, 1, 28, 28])]
    graph = helper.make_graph(nodes, "mine", inputs, outputs, weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    helper.set_model_props(made, metadata)
    onnx.save(made, path)
    return path


def test_own_model_draws(tmp_path):
    gen = mnistgen.Generator.from_file(model(tmp_path / "mine.onnx"), device="cpu", threads=1)
    assert gen.generate(3, seed=1).shape == (3, 28, 28)
    np.testing.assert_array_equal(gen.generate(seed=1, start=2)[0], gen.generate(3, seed=1)[2])
    assert (gen.model.name, gen.model.classes, gen.model.latent_size) == ("mine", 0, 2)
    assert repr(gen) == f"mnistgen.Generator.from_file({str(tmp_path / 'mine.onnx')!r}, device='cpu')"
    labelled = model(tmp_path / "labelled.onnx", METADATA | {"classes": "10"}, label=10)
    assert mnistgen.Generator.from_file(labelled).generate(2, digit=[3, 8]).shape == (2, 28, 28)


@pytest.mark.parametrize("name", ["vae", "gan", "cgan", "cgan-int8"])
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
    ({"kind": TensorProto.DOUBLE}, "its outputs are 'image tensor(double)"),
    ({"ends": "Tanh"}, "values range from -"),
    ({"ends": "Log"}, "values range from nan to nan"),
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


def test_external_weights_are_rejected(run, folder):
    whole = onnx.load(model(folder / "mine.onnx"))
    onnx.save(whole, folder / "x.onnx", save_as_external_data=True, location="weights.bin", size_threshold=1000)
    assert (folder / "weights.bin").exists()
    code, out, err = run("--model-path", "x.onnx")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "weights.bin" in err


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
