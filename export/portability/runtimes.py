"""The runtimes that are tried: where they come from and what is known about them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Runtime:
    """A program that can run ONNX files.

    Each has an environment of its own, because their requirements contradict each other.
    """

    title: str
    adapter: str
    """Function of adapters.py."""
    packages: tuple[str, ...] = ()
    """What pip installs; empty for what the environment of this project has."""
    distribution: str = ""
    """Package whose version is shown; by default the first of `packages`, without its version."""
    environment: str = ""
    """Name of the environment that it shares with another runtime."""
    note: str = ""

    @property
    def shown_package(self) -> str:
        """The package whose version is shown."""
        return self.distribution or self.packages[0].partition("=")[0].partition("[")[0]


RUNTIMES = {
    "onnxruntime": Runtime("ONNX Runtime, CPU, newest", "onnxruntime", distribution="onnxruntime"),
    "onnxruntime-oldest": Runtime("ONNX Runtime, CPU, oldest", "onnxruntime", ("onnxruntime==1.19.2",)),
    "onnx": Runtime("ONNX reference evaluator", "reference", distribution="onnx"),
    "openvino": Runtime("OpenVINO", "openvino", ("openvino",), note="INFERENCE_PRECISION_HINT=f32"),
    "openvino-default": Runtime(
        "OpenVINO, default precision", "openvino_default", ("openvino",), environment="openvino"
    ),
    "opencv": Runtime("OpenCV DNN", "opencv", ("opencv-python-headless",)),
    "tract": Runtime("tract", "tract", ("tract",)),
    "iree": Runtime("IREE, llvm-cpu", "iree", ("iree-base-compiler[onnx]", "iree-base-runtime")),
    "ncnn": Runtime("ncnn, by pnnx", "ncnn", ("ncnn", "pnnx"), note="one image at a time"),
    "mnn": Runtime("MNN", "mnn", ("MNN",)),
    "tvm": Runtime("TVM", "tvm", ("apache-tvm", "onnx")),
    "tinygrad": Runtime("tinygrad, CPU", "tinygrad", ("tinygrad", "onnx")),
    "onnx2torch": Runtime(
        "PyTorch, converted by onnx2torch", "onnx2torch", ("onnx2torch", "torch==2.13.0", "setuptools")
    ),
    "jaxonnxruntime": Runtime("JAX, by jaxonnxruntime", "jax", ("jaxonnxruntime", "jax", "onnx", "absl-py")),
}
"""By the name of the environment's folder."""
