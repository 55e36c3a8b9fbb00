"""Progress bar of a training."""

from collections.abc import Mapping

from torch import Tensor
from tqdm import tqdm

_LAYOUT = "{desc} {percentage:3.0f}%|{bar}| {remaining} left{postfix}"


class Progress:
    """One progress bar for all epochs, if stderr is a terminal: epoch, time left, losses of the last step."""

    def __init__(self, epochs: int, epoch_size: int, epochs_done: int, hidden: bool = False):
        self.epochs = epochs
        self._bar = tqdm(
            total=epochs * epoch_size,
            initial=epochs_done * epoch_size,
            bar_format=_LAYOUT,
            disable=hidden or None,
            dynamic_ncols=True,
            smoothing=0.1,
            leave=False,
        )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()

    def start_epoch(self, epoch: int) -> None:
        """Name `epoch`, counted from 1, on the bar."""
        self._bar.set_description_str(f"epoch {epoch}/{self.epochs}:")

    def update(self, images: int, metrics: Mapping[str, Tensor]) -> None:
        """Advance by a number of images; remove the bar after the last one."""
        if self._bar.update(images):  # it was drawn; not in every step, because reading a metric waits for the device
            losses = {name: f"{value.item():.2f}" for name, value in metrics.items() if name.endswith("loss")}
            self._bar.set_postfix(losses, refresh=False)
        if self._bar.n >= self._bar.total:
            self._bar.close()

    def print(self, text: str) -> None:
        """Print `text` above the bar."""
        tqdm.write(text)
