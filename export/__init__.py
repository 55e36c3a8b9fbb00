"""The press: from a finished training's weights to verified ONNX artifacts. Run from a checkout with `python -m`."""

from importlib.util import find_spec

_MISSING = [name for name in ("mnistgen", "onnx", "onnxruntime", "onnxscript") if not find_spec(name)]
if _MISSING:
    raise SystemExit(f"Export needs {', '.join(_MISSING)}: pip install -c constraints.txt -e '.[export]'")
