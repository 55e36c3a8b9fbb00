"""Cases that all implementations of mnistgen must agree on: calls, and what Python returns for them.

The tests of Python and JavaScript read the same files in tests/parity/. Run `python tests/parity.py` to write them
again after a change of the models or of the cases below.
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image

import mnistgen
from mnistgen.output.images import grid

FOLDER = Path(__file__).parent / "parity"
MODELS = ("vae", "gan", "cgan", "cgan-int8")
FLOAT16 = ("vae-fp16", "gan-fp16", "cgan-fp16")
LAST_SEED, LATE_START = str(2**64 - 1), str(2**62 + 3)  # strings: JSON's numbers are exact up to 2^53 only

CASES = [
    *({"call": "generate", "model": name, "n": 20, "seed": LAST_SEED, "start": LATE_START} for name in MODELS),
    {"call": "generate", "model": "cgan", "n": 3, "digit": 5, "seed": 7},
    {"call": "generate", "model": "cgan", "n": 3, "digit": [3, 1, 4], "seed": 7, "start": 2},
    {"call": "verified", "model": "vae", "n": 10, "digit": 8, "seed": 7},
    {"call": "verified", "model": "gan", "n": 10, "seed": 7},
    {"call": "verified", "model": "cgan", "n": 10, "seed": 7, "start": 5},
    {"call": "text", "model": "cgan", "text": "2026-11-26 23:59, +1.5/7", "seed": 0},
    {"call": "text", "model": "vae", "text": 1234567890, "seed": 3, "verify": True},
    {"call": "walk", "model": "vae", "seeds": [1, 2, 3], "frames": 4, "loop": True},
    {"call": "walk", "model": "gan", "seeds": [1, LAST_SEED], "frames": 9},
    {"call": "walk", "model": "cgan", "seeds": 14, "digits": [3, 8], "frames": 9, "loop": True},
    {"call": "manifold", "model": "vae", "side": 9},
    {"call": "verified", "model": "gan", "n": 10, "digit": 4, "seed": 7, "start": 3},
    *({"call": "generate", "model": name, "n": 20, "seed": LAST_SEED, "start": LATE_START} for name in FLOAT16),
    {"call": "generate", "model": "vae", "digit": 3, "error": "model-unconditional"},
    {"call": "generate", "model": "cgan", "digit": 10, "error": "invalid-digit"},
    {"call": "generate", "model": "cgan", "n": 3, "digit": [1, 2], "error": "digit-count-mismatch"},
    {"call": "generate", "model": "cgan", "n": 0, "error": "invalid-count"},
    {"call": "generate", "model": "cgan", "n": 1.5, "error": "invalid-count"},
    {"call": "generate", "model": "cgan", "seed": -1, "error": "invalid-seed"},
    {"call": "generate", "model": "cgan", "seed": str(2**64), "error": "invalid-seed"},
    {"call": "generate", "model": "cgan", "start": str(2**63), "error": "invalid-start"},
    {"call": "generate", "model": "cgan", "n": 2, "start": str(2**63 - 1), "error": "invalid-start"},
    {"call": "text", "model": "cgan", "text": "abc", "error": "invalid-text"},
    {"call": "text", "model": "cgan", "text": "", "error": "invalid-text"},
    {"call": "text", "model": "gan", "text": "1", "error": "model-unconditional"},
    {"call": "walk", "model": "vae", "seeds": [1], "error": "too-few-stops"},
    {"call": "walk", "model": "gan", "digits": [1, 2], "error": "model-unconditional"},
    {"call": "walk", "model": "cgan", "frames": 0, "error": "invalid-count"},
    {"call": "manifold", "model": "cgan", "error": "model-without-manifold"},
]


def name_of(case: dict) -> str:
    """Return a short name, unique among CASES, such as "02-cgan-generate"."""
    return f"{CASES.index(case):02d}-{case['model']}-{case['call']}"


def answer(case: dict) -> dict:
    """Return what Python draws for a case: `images` (n, height, width), and facts about them for JSON."""
    options = {key: _number(value) for key, value in case.items() if key not in ("call", "model", "error")}
    generator = mnistgen.load(case["model"], device="cpu")
    match case["call"]:
        case "generate":
            return {"images": generator.generate(options.pop("n", 1), **options)}
        case "verified":
            drawn = generator.generate_verified(options.pop("n"), **options)
            return {"images": drawn.images, "digits": drawn.digits.tolist(), "attempts": drawn.attempts.tolist()}
        case "text":
            drawn = generator.text(options.pop("text"), **options)
            return {"images": drawn.array[None], "boxes": [vars(box) for box in drawn.boxes]}
        case "walk":
            return {"images": generator.walk(**options).frames}
        case _:
            return {"images": generator.manifold(**options)}


def _number(value):
    if isinstance(value, list):
        return [_number(each) for each in value]
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) > 10 else value


def main() -> None:
    """Write the pictures and cases.json."""
    FOLDER.mkdir(exist_ok=True)
    cases = []
    for case in CASES:
        if "error" in case:
            cases.append(case)
            continue
        drawn = answer(case)
        Image.fromarray(sheet(drawn.pop("images"))).save(FOLDER / f"{name_of(case)}.png", optimize=True)
        cases.append({**case, "picture": f"{name_of(case)}.png", "expected": drawn})
    lines = ",\n".join(f"  {json.dumps(case)}" for case in cases)
    (FOLDER / "cases.json").write_text(f"[\n{lines}\n]\n")


def sheet(images: np.ndarray) -> np.ndarray:
    """Arrange images (n, 28, width) in rows of ten."""
    return grid(images, columns=10)


if __name__ == "__main__":
    main()
