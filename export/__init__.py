"""Export trained weights to verified ONNX files, certify and compare them. Run from a checkout; never installed."""

from importlib.util import find_spec

_MISSING = [name for name in ("mnistgen", "onnx", "onnxruntime", "onnxscript") if not find_spec(name)]
if _MISSING:
    raise SystemExit(f"Export needs {', '.join(_MISSING)}. Run pip install -c constraints.txt -e '.[export]'.")
