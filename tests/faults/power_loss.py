"""Cut datasets off, damage what is on the disk, and resume: `python -m faults.power_loss 500`.

Blocks that had not reached the disk are zeros or missing after a power failure. Bits can also flip.
"""

import random
import sys
import tempfile
from pathlib import Path
from unittest import mock

from dataset_helpers import Painter, cut_after, flip, tree, zero_tail

from mnistgen import dataset


def damage(path: Path, chance: random.Random) -> None:
    """Damage a file at random, or not."""
    size = path.stat().st_size
    kind = chance.choice(["none", "zeros", "shorter", "flip", "missing", "longer"])
    if kind == "zeros":
        zero_tail(path, chance.randint(1, size))
    elif kind == "shorter":
        path.write_bytes(path.read_bytes()[: chance.randrange(size)])
    elif kind == "flip":
        for _ in range(chance.randint(1, 5)):
            flip(path, chance.randrange(size))
    elif kind == "missing":
        path.unlink()
    elif kind == "longer":
        path.write_bytes(path.read_bytes() + chance.randbytes(chance.randint(1, 5000)))


def lose_power(rounds: int, folder: Path) -> list[int]:
    """Cut off, damage and resume a dataset in each round; return the rounds with a wrong result."""
    with mock.patch("mnistgen.dataset.split.BLOCK", 4):
        dataset.write(Painter(), folder / "whole", 32, test=8)
        wanted = tree(folder / "whole")
        return [number for number in range(rounds) if _resumed(folder / str(number), random.Random(number)) != wanted]


def _resumed(out: Path, chance: random.Random) -> dict[str, bytes]:
    files = cut_after(chance.choice([4, 12, 20, 24]), out, Painter())
    for file in files:
        damage(file, chance)
    dataset.write(Painter(), out, 32, test=8)
    return tree(out)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        wrong = lose_power(int(sys.argv[1]), Path(temporary))
    print(f"{len(wrong)} of {sys.argv[1]} resumed datasets are wrong", *wrong[:5])
    sys.exit(bool(wrong))
