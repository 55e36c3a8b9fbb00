"""PyTorch code that trains the three generators. Run it from a checkout: `python -m training.<model>`."""

from importlib.util import find_spec

_MISSING = [name for name in ("click", "safetensors", "torch", "torchvision", "tqdm") if not find_spec(name)]
if _MISSING:
    raise SystemExit(
        f"Python packages are missing: {', '.join(_MISSING)}. Run pip install -c constraints.txt -e '.[train]'."
    )
