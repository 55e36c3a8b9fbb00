"""Export trained weights to verified ONNX files, certify and compare them. Run from a checkout; never installed."""

import os
from importlib.util import find_spec

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # ONNX Runtime reads it at import

_MISSING = [name for name in ("mnistgen", "onnx", "onnxruntime", "onnxscript") if not find_spec(name)]
if _MISSING:
    raise SystemExit(f"Export needs {', '.join(_MISSING)}. Run pip install -c constraints.txt -e '.[export]'.")
