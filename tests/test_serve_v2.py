"""The Open Inference Protocol of `mnistgen serve`."""

import json

import numpy as np
import pytest
from serve_helpers import SHA256, error_of, running_fixture

INFER = "/v2/models/cgan/infer"
Z = np.linspace(-1, 1, 256, dtype=np.float32).reshape(2, 128)
LABEL = np.eye(10, dtype=np.float32)[[3, 4]]


running = running_fixture()


def tensor(name, value, **changes):
    return {"name": name, "datatype": "FP32", "shape": list(value.shape), "data": value.ravel().tolist(), **changes}


def images(answer):
    status, _, body = answer
    found = json.loads(body)
    assert (status, found["model_name"]) == (200, "cgan")
    (output,) = found["outputs"]
    assert (output["name"], output["datatype"]) == ("image", "FP32")
    return np.array(output["data"], dtype=np.float32).reshape(output["shape"])


def test_health_and_metadata(running):
    assert json.loads(running.get("/v2/health/live")[2]) == {"live": True}
    assert json.loads(running.get("/v2/health/ready")[2]) == {"ready": True}
    assert json.loads(running.get("/v2")[2])["name"] == "mnistgen"
    for path in ("/v2/models/cgan", f"/v2/models/cgan/versions/{SHA256[:8]}"):
        model = json.loads(running.get(path)[2])
        assert [(each["name"], each["shape"]) for each in model["inputs"]] == [("z", [-1, 128]), ("label", [-1, 10])]
        assert json.loads(running.get(f"{path}/ready")[2]) == {"name": "cgan", "ready": True}
    assert error_of(running.get("/v2/models/cgan/versions/1")) == (404, "unknown-version")
    assert error_of(running.get("/v2/models/wgan/ready")) == (404, "unknown-model")


@pytest.mark.parametrize("nested", [False, True])
def test_tensors_are_decoded(running, cgan, nested):
    changes = {"data": Z.tolist()} if nested else {}
    given = {"id": "a", "inputs": [tensor("z", Z, **changes), tensor("label", LABEL)], "outputs": [{"name": "image"}]}
    answer = running.post(given, path=INFER)
    np.testing.assert_array_equal(images(answer)[:, 0], cgan.decode(Z, LABEL))
    assert json.loads(answer[2])["id"] == "a"


def test_seed_is_drawn(running, cgan):
    given = {"parameters": {"seed": "7", "digit": 5, "n": 2, "start": 1}}
    drawn = images(running.post(given, path=INFER))
    np.testing.assert_array_equal(np.rint(drawn[:, 0] * 255), cgan.generate(2, digit=5, seed=7, start=1))
    assert images(running.post({}, path=INFER)).shape == (1, 1, 28, 28)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"inputs": [tensor("z", Z)]}, (422, "invalid-label")),
        ({"inputs": [tensor("label", LABEL)]}, (422, "invalid-tensor")),
        ({"inputs": [tensor("x", Z)]}, (422, "invalid-tensor")),
        ({"inputs": [tensor("z", Z), tensor("z", Z)]}, (422, "invalid-tensor")),
        ({"inputs": [tensor("z", Z, datatype="FP64")]}, (422, "invalid-tensor")),
        ({"inputs": [tensor("z", Z, shape=[1, 128])]}, (422, "invalid-tensor")),
        ({"inputs": [tensor("z", Z, shape=[2.0, 128])]}, (422, "invalid-tensor")),
        ({"inputs": [tensor("z", Z, shape="2")]}, (422, "invalid-tensor")),
        ({"inputs": [tensor("z", Z, data=["1"] * 256)]}, (422, "invalid-tensor")),
        ({"inputs": [tensor("z", Z, data=[[1], [1, 2]])]}, (422, "invalid-tensor")),
        ({"inputs": [tensor("z", Z, data=[10**400] * 256)]}, (422, "invalid-tensor")),
        ({"inputs": [tensor("z", Z + 1e30), tensor("label", LABEL)]}, (422, "invalid-latent")),
        ({"inputs": [tensor("z", Z)], "parameters": {"seed": 1}}, (422, "option-conflict")),
        ({"inputs": {}}, (400, "invalid-body")),
        ({"id": 1}, (400, "invalid-body")),
        ({"parameters": []}, (400, "invalid-body")),
        ({"parameters": {"seeds": 1}}, (400, "unknown-parameter")),
        ({"outputs": [{"name": "text"}]}, (422, "unknown-choice")),
        (b" " * (1024 * 1024 + 1), (413, "body-too-large")),
    ],
)
def test_invalid_request(running, given, expected):
    answer = running.post(given, path=INFER)
    assert error_of(answer) == expected
    assert json.loads(answer[2])["error"]


def binary(given, *arrays):
    """Return headers and body of a request whose tensors follow its JSON."""
    text = json.dumps(given).encode()
    return {"Inference-Header-Content-Length": str(len(text))}, text + b"".join(array.tobytes() for array in arrays)


def placed(name, value, size=None):
    facts = {"name": name, "datatype": "FP32", "shape": list(value.shape)}
    return {**facts, "parameters": {"binary_data_size": value.nbytes if size is None else size}}


def test_binary_tensors(running, cgan):
    given = {"inputs": [placed("z", Z), placed("label", LABEL)], "parameters": {"binary_data_output": True}}
    headers, body = binary(given, Z, LABEL)
    status, answered, content = running.request("POST", INFER, body, headers)
    length = int(answered["Inference-Header-Content-Length"])
    (output,) = json.loads(content[:length])["outputs"]
    assert (status, answered["Content-Type"], output["shape"]) == (200, "application/octet-stream", [2, 1, 28, 28])
    assert output["parameters"] == {"binary_data_size": len(content) - length}
    np.testing.assert_array_equal(np.frombuffer(content[length:], "<f4"), cgan.decode(Z, LABEL).ravel())


def test_output_chooses_its_form(running):
    outputs = [{"name": "image", "parameters": {"binary_data": False}}]
    given = {"parameters": {"seed": 1, "binary_data_output": True}, "outputs": outputs}
    assert images(running.post(given, path=INFER)).shape == (1, 1, 28, 28)


@pytest.mark.parametrize(
    ("given", "length"),
    [
        ([placed("z", Z, Z.nbytes + 4), placed("label", LABEL)], None),
        ([placed("z", Z, Z.nbytes - 4), placed("label", LABEL)], None),
        ([placed("z", Z, -1)], None),
        ([placed("z", Z, "x")], None),
        ([placed("z", Z)], None),
        ([], "100000"),
        ([], "-1"),
    ],
)
def test_invalid_binary_tensors(running, given, length):
    headers, body = binary({"inputs": given}, Z, LABEL)
    headers["Inference-Header-Content-Length"] = length or headers["Inference-Header-Content-Length"]
    assert error_of(running.request("POST", INFER, body, headers)) == (422, "invalid-tensor")


def test_public_client(running, cgan):
    """Triton's client sends and reads binary tensors by default."""
    client_package = pytest.importorskip("tritonclient.http", reason="needs tritonclient[http]")
    client = client_package.InferenceServerClient(f"127.0.0.1:{running.port}")
    assert client.is_server_ready()
    assert client.is_model_ready("cgan")
    inputs = [client_package.InferInput(name, value.shape, "FP32") for name, value in (("z", Z), ("label", LABEL))]
    for each, value in zip(inputs, (Z, LABEL), strict=True):
        each.set_data_from_numpy(value)
    answer = client.infer("cgan", inputs, outputs=[client_package.InferRequestedOutput("image")])
    np.testing.assert_array_equal(answer.as_numpy("image")[:, 0], cgan.decode(Z, LABEL))
    drawn = client.infer("cgan", [], parameters={"seed": "7", "digit": 5})
    np.testing.assert_array_equal(np.rint(drawn.as_numpy("image")[0] * 255), cgan.generate(digit=5, seed=7))
    client.close()
