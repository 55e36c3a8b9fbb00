"""Records of each kind, and files that carry them, for tests."""

import json

import numpy as np
from PIL import Image, PngImagePlugin

FACTS = {
    "mnistgen": "0.1.0", "schema": "1.0", "model": "cgan", "sha256": "0" * 64, "provider": "CPUExecutionProvider",
    "seed": 1, "start": 0, "n": 1, "digits": [5], "text": None, "format": "png", "scale": 1, "columns": 10,
    "invert": False,
}  # fmt: skip
WALK = {
    "mnistgen": "0.1.0", "schema": "2.0", "kind": "walk", "model": "cgan", "sha256": "0" * 64,
    "provider": "CPUExecutionProvider", "seeds": [1, 2, 1], "digits": [3, 8, 3], "frames": 4, "loop": False,
    "format": "gif", "scale": 1, "milliseconds": 40,
}  # fmt: skip
MANIFOLD = {
    "mnistgen": "0.1.0", "schema": "2.0", "kind": "manifold", "model": "vae", "sha256": "0" * 64,
    "provider": "CPUExecutionProvider", "side": 3, "format": "png", "scale": 1,
}  # fmt: skip


def drawn(run, *arguments):
    """Draw a picture with `mnistgen-run`; return its name."""
    return made(run, "--seed", "7", *arguments)


def made(call, *arguments):
    """Run a command that writes a file; return its name."""
    code, out, err = call(*arguments, "--device", "cpu", "--json")
    assert (code, err) == (0, "")
    return json.loads(out)["path"]


def png(path, text, keyword="mnistgen", picture=None):
    texts = PngImagePlugin.PngInfo()
    texts.add_text(keyword, text)
    Image.fromarray(np.zeros((28, 28), dtype=np.uint8) if picture is None else picture).save(path, pnginfo=texts)
