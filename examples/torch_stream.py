"""An endless PyTorch dataset of digits and labels, generated while it is read.

Batches do not depend on the number of workers.

Install:  pip install -e '.[cpu]' torch
Run:      python examples/torch_stream.py
"""

from collections.abc import Iterator
from itertools import count, islice

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

import mnistgen


class Digits(IterableDataset[tuple[torch.Tensor, torch.Tensor]]):
    """Endless batches of `seed`: images float32 (B, 1, 28, 28) in [0, 1], labels int64 (B,).

    Batch b has images b·B to (b + 1)·B - 1. With W workers, worker w draws batches w, w + W, w + 2W and so on, which
    is the order in which a DataLoader reads them.
    """

    def __init__(self, batch: int, seed: int = 0):
        self._batch = batch
        self._seed = seed

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        with mnistgen.load("cgan", threads=1 if worker else None) as generator:
            for b in count(first, step):
                start = b * self._batch
                labels = np.arange(start, start + self._batch) % 10  # (B,)
                images = generator.generate(self._batch, digit=labels, seed=self._seed, start=start)  # (B, 28, 28)
                yield torch.from_numpy(images).unsqueeze(1) / 255, torch.from_numpy(labels)


def main() -> None:
    loader = DataLoader(Digits(batch=64, seed=7), batch_size=None, num_workers=2)
    classifier = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10))
    optimizer = torch.optim.Adam(classifier.parameters(), lr=3e-3)
    for step, (images, labels) in enumerate(islice(loader, 60), start=1):
        logits = classifier(images)  # (B, 10)
        loss = torch.nn.functional.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 20 == 0:
            accuracy = (logits.argmax(1) == labels).float().mean()
            print(f"step {step}  loss {loss:.3f}  accuracy {accuracy:.1%} on new digits")


if __name__ == "__main__":
    main()
