"""The workshop: PyTorch code that trains the three digit generators. Run from a checkout with `python -m`."""

from importlib.util import find_spec

_MISSING = [name for name in ("click", "safetensors", "torch", "torchvision", "tqdm") if not find_spec(name)]
if _MISSING:
    raise SystemExit(f"Training needs {', '.join(_MISSING)}: pip install -c constraints.txt -e '.[train]'")
