"""Triton, started by PyTriton, with the model `digits`: image i of a seed, over HTTP and gRPC.

The tensors are `seed` (UINT64), and optionally `start` (UINT64), `n` (UINT32) and `digit` (INT32, one or n). The answer
is `image`, UINT8 (n, 28, 28), ink 255. `python -m export.triton` writes the same model for a server of your own.

Install:  pip install -e '.[cpu]' nvidia-pytriton 'numpy<2'   (in an environment of its own: it needs NumPy 1)
Run:      python examples/pytriton_app.py
"""

import argparse
import os
import sysconfig

import numpy as np
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

import mnistgen

MOST_IMAGES = 400
INPUTS = [
    Tensor(name="seed", dtype=np.uint64, shape=(1,)),
    Tensor(name="start", dtype=np.uint64, shape=(1,), optional=True),
    Tensor(name="n", dtype=np.uint32, shape=(1,), optional=True),
    Tensor(name="digit", dtype=np.int32, shape=(-1,), optional=True),
]
OUTPUTS = [Tensor(name="image", dtype=np.uint8, shape=(-1, 28, 28))]


def answer(generator, seed=None, start=(0,), n=(1,), digit=None):
    if seed is None:  # Triton calls models with optional inputs even if a required one is missing
        raise mnistgen.InputError("seed is missing; expected a UINT64 tensor of one value", code="invalid-seed")
    if n[0] > MOST_IMAGES:
        raise mnistgen.InputError(f"n is {n[0]}; expected at most {MOST_IMAGES}", code="invalid-count")
    if digit is not None and len(digit) == 1:
        digit = digit[0]  # for all images
    return {"image": generator.generate(n[0], digit=digit, seed=seed[0], start=start[0])}  # (n, 28, 28)


def use_own_libpython() -> None:
    """Make Triton's Python backend load the library of this Python, not the system's, which may be another 3.x.y."""
    folders = [sysconfig.get_config_var("LIBDIR"), os.environ.get("LD_LIBRARY_PATH")]
    os.environ["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, folders))


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve digits with Triton.")
    parser.add_argument("--host", default="127.0.0.1", help="Address to listen on.")
    parser.add_argument("--http-port", type=int, default=8000)
    parser.add_argument("--grpc-port", type=int, default=8001)
    options = parser.parse_args()
    generator = mnistgen.load("cgan", device="cpu")
    use_own_libpython()
    config = TritonConfig(
        http_address=options.host,
        http_port=options.http_port,
        grpc_address=options.host,
        grpc_port=options.grpc_port,
        allow_metrics=False,
    )
    with Triton(config=config) as triton:
        triton.bind(
            model_name="digits",
            # Not several: their instances in PyTriton 0.7 wait 1 s for the first, too short on a busy machine.
            infer_func=lambda requests: [answer(generator, **request) for request in requests],
            inputs=INPUTS,
            outputs=OUTPUTS,
            config=ModelConfig(batching=False),  # a request has n images
        )
        triton.serve()


if __name__ == "__main__":
    main()
