"""Compare pictures drawn here with those in tests/golden/ and tests/parity/: `python -m arm.pictures`.

Prints for each model how many pixels differ, and by how many levels. Fails if a difference exceeds contract C4.
"""

import json
import sys
from collections.abc import Iterator

import numpy as np
import parity
from PIL import Image
from test_parity import MOST_LEVELS

import mnistgen

GOLDEN = parity.FOLDER.with_name("golden")


def pairs() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield the model, the picture drawn here and the picture expected, in gray levels, for each case."""
    # Not the golden picture of cgan-int8: some x86-64 processors differ from it, too, by up to 37 levels at single
    # pixels (docs/contract.md, Reproducibility). tests/parity/ has a picture of cgan-int8.
    for model in parity.MODELS[:3]:
        images = mnistgen.load(model, device="cpu").generate(10, seed=0)
        yield model, np.concatenate(list(images), axis=1), _read(GOLDEN / f"{model}.png")
    for case in json.loads((parity.FOLDER / "cases.json").read_text()):
        if case.get("call") in ("generate", "walk", "manifold") and "picture" in case:
            plain = {key: value for key, value in case.items() if key not in ("picture", "expected")}
            yield case["model"], parity.sheet(parity.answer(plain)["images"]), _read(parity.FOLDER / case["picture"])


def _read(path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def main() -> int:
    """Print the differences of each model; return 1 if one is too large."""
    found: dict[str, list[np.ndarray]] = {}
    for model, drawn, expected in pairs():
        print(f"  drew {model}", flush=True)  # emulation takes minutes
        found.setdefault(model, []).append(np.abs(drawn.astype(int) - expected).ravel())
    failed = False
    for model, parts in found.items():
        levels, most = np.concatenate(parts), MOST_LEVELS.get(model, 1)
        failed |= bool(levels.max() > most)
        print(
            f"  {model}: {(levels > 0).sum()} of {levels.size} pixels differ, by up to {levels.max()} ({most} allowed)"
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
