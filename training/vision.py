"""Imports from torchvision that work with every build of PyTorch.

PyPI's torchvision is built for CUDA. With a CPU build of PyTorch its C++ operators do not load, and the import fails
because two of their schemas are missing. This module declares the schemas. Nothing here calls the operators.
"""

from torch import library

__all__ = ["MNIST", "save_image"]

_OPERATORS = library.Library("torchvision", "FRAGMENT")  # declarations live as long as this object

try:
    import torchvision  # noqa: F401
except RuntimeError as error:
    if "torchvision::nms" not in str(error):
        raise
    for name in ("nms", "qnms"):
        _OPERATORS.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from torchvision.datasets import MNIST  # noqa: E402
from torchvision.utils import save_image  # noqa: E402
