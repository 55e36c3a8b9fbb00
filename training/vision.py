"""What we use of torchvision, imported so that any build of it goes with any build of torch.

PyPI's torchvision is built for CUDA. Beside a CPU torch its C++ operators do not load, and its import fails where it
looks two of their schemas up; declared here, they satisfy the import, and nothing that we use calls them.
"""

from torch import library

__all__ = ["MNIST", "save_image"]

_OPERATORS = library.Library("torchvision", "FRAGMENT")  # a declaration lives as long as its library

try:
    import torchvision  # noqa: F401
except RuntimeError as error:
    if "torchvision::nms" not in str(error):
        raise
    for name in ("nms", "qnms"):
        _OPERATORS.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from torchvision.datasets import MNIST  # noqa: E402
from torchvision.utils import save_image  # noqa: E402
