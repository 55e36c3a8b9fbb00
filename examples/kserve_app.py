"""A KServe predictor with the model `digits`: image i of a seed, over REST and gRPC (Open Inference Protocol).

The tensors are `seed` (UINT64), and optionally `start` (UINT64), `n` (UINT32) and `digit` (INT32, one or n). The answer
is `image`, UINT8 (n, 28, 28), ink 255. No Kubernetes is needed.

Install:  pip install -e '.[cpu]' kserve
Run:      python examples/kserve_app.py --http_port 8080 --grpc_port 8081
"""

import asyncio

import kserve
from kserve.errors import InvalidInput
from kserve.protocol.infer_type import InferInput, InferOutput, InferRequest, InferResponse
from kserve.utils.utils import generate_uuid

import mnistgen

MOST_IMAGES = 400
INPUTS = {"seed": ("UINT64", [1]), "start": ("UINT64", [1]), "n": ("UINT32", [1]), "digit": ("INT32", [-1])}


class Digits(kserve.Model):
    def __init__(self):
        super().__init__("digits")
        self.generator = mnistgen.load("cgan", device="cpu")  # shared by threads
        self.ready = self.load()

    def load(self) -> bool:
        self.generator.generate(seed=0)  # warm up
        return True

    async def predict(self, payload: InferRequest, headers=None) -> InferResponse:
        images = await asyncio.to_thread(self.draw, read(payload))  # (n, 28, 28); the event loop continues
        output = InferOutput("image", list(images.shape), "UINT8")
        output.set_data_from_numpy(images, binary_data=wants_binary(payload))
        identity = payload.id or generate_uuid()
        return InferResponse(identity, self.name, [output], use_binary_outputs=payload.use_binary_outputs)

    def draw(self, given):
        n, digit = given.get("n", [1])[0], given.get("digit")
        if n > MOST_IMAGES:
            raise InvalidInput(f"n is {n}; expected at most {MOST_IMAGES}.")
        if digit is not None and len(digit) == 1:
            digit = digit[0]  # for all images
        try:
            return self.generator.generate(n, digit=digit, seed=given["seed"][0], start=given.get("start", [0])[0])
        except mnistgen.InputError as error:
            raise InvalidInput(str(error)) from error

    def get_input_types(self) -> list[dict]:
        return [{"name": name, "datatype": kind, "shape": shape} for name, (kind, shape) in INPUTS.items()]

    def get_output_types(self) -> list[dict]:
        return [{"name": "image", "datatype": "UINT8", "shape": [-1, 28, 28]}]


def read(payload: InferRequest):
    """Return the tensors of a request by name; KServe does not compare them with `get_input_types`."""
    if not isinstance(payload, InferRequest):
        raise InvalidInput("The request is of protocol v1; expected the Open Inference Protocol. Use /v2.")
    given = {}
    for tensor in payload.inputs:
        check(tensor)
        try:
            given[tensor.name] = tensor.as_numpy()
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidInput(f"{tensor.name} cannot be read: {error}.") from error
    if "seed" not in given:
        raise InvalidInput("seed is missing; expected a UINT64 tensor of one value.")
    return given


def check(tensor: InferInput) -> None:
    if tensor.name not in INPUTS:
        raise InvalidInput(f"tensor is {tensor.name!r}; expected one of {', '.join(INPUTS)}.")
    datatype, shape = INPUTS[tensor.name]
    if tensor.datatype != datatype:
        raise InvalidInput(f"{tensor.name} is {tensor.datatype}; expected {datatype}.")
    if len(tensor.shape) != 1 or (shape == [1] and list(tensor.shape) != [1]):
        raise InvalidInput(f"{tensor.name} has shape {list(tensor.shape)}; expected {shape}.")


def wants_binary(payload: InferRequest) -> bool:
    chosen = [output.binary_data for output in payload.request_outputs or [] if output.binary_data is not None]
    return chosen[0] if chosen else payload.use_binary_outputs


if __name__ == "__main__":
    kserve.ModelServer().start([Digits()])
