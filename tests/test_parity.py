"""Python returns what tests/parity/ says; web/test/parity.test.js checks the same for JavaScript."""

import json

import numpy as np
import parity
import pytest
from PIL import Image

from mnistgen.errors import MnistgenError

CASES = json.loads((parity.FOLDER / "cases.json").read_text())
MOST_LEVELS = {"cgan-int8": 8}
"""Largest difference in gray levels between processors and versions of ONNX Runtime; 1 by default."""


def test_cases_are_up_to_date():
    plain = [{key: value for key, value in case.items() if key not in ("picture", "expected")} for case in CASES]
    assert plain == parity.CASES


@pytest.mark.parametrize("case", [case for case in CASES if "picture" in case], ids=lambda case: case["picture"])
def test_pictures_are_reproduced(case):
    drawn = parity.answer(parity.CASES[CASES.index(case)])
    with Image.open(parity.FOLDER / case["picture"]) as image:
        expected = np.asarray(image).astype(int)
    difference = np.abs(parity.sheet(drawn.pop("images")).astype(int) - expected)
    assert difference.max() <= MOST_LEVELS.get(case["model"], 1)
    assert drawn == case["expected"]


@pytest.mark.parametrize("case", [case for case in CASES if "error" in case], ids=lambda case: case["error"])
def test_errors_have_the_same_code(case):
    with pytest.raises(MnistgenError) as caught:
        parity.answer(case)
    assert caught.value.code == case["error"]
