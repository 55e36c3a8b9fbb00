"""Progress bars of a training."""

from tqdm import tqdm

_OPTIONS = {"disable": None, "unit": " images", "unit_scale": True, "dynamic_ncols": True, "smoothing": 0.1}


class Progress:
    """Two progress bars, for the current epoch and for the whole run, if stderr is a terminal."""

    def __init__(self, epochs: int, epoch_size: int, epochs_done: int):
        self.epochs, self.epoch_size = epochs, epoch_size
        self._run = self._bar("run", epochs * epoch_size, initial=epochs_done * epoch_size, position=1)
        self._epoch: tqdm | None = None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *exception: object) -> None:
        self.end_epoch()
        self._run.close()

    def start_epoch(self, epoch: int) -> None:
        """Show a new bar for `epoch`, counted from 1."""
        self._epoch = self._bar(f"epoch {epoch}/{self.epochs}", self.epoch_size, position=0, leave=False)

    def update(self, images: int) -> None:
        """Advance both bars by a number of images."""
        for bar in (self._epoch, self._run):
            bar.update(images)

    def end_epoch(self) -> None:
        """Remove the bar of the current epoch."""
        if self._epoch:
            self._epoch.close()
            self._epoch = None

    def print(self, line: str) -> None:
        """Print `line` above the bars."""
        tqdm.write(line)

    def _bar(self, description: str, total: int, **options: object) -> tqdm:
        return tqdm(desc=description, total=total, **_OPTIONS, **options)
