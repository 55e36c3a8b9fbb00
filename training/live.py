"""A web page that shows a running training: losses, samples, time left. It reloads itself and needs no scripts."""

import base64
import html
from pathlib import Path

import click
from torch import Tensor

from training import checkpoint
from training.checkpoint import Log
from training.data import Digits
from training.trainer import Trainer, train

PAGE = "live.html"
_REFRESH_SECONDS = 5
_RECENT_EPOCHS = 3
"""Number of last epochs that the time left is estimated from."""
_WIDTH, _HEIGHT = 300, 120
"""Size of a plot, with the margins for its labels in `_plot`."""
_STYLE = """
:root { color-scheme: light dark; --text: #1d2330; --muted: #5d6675; --line: #2458c5; --card: #f3f5f9; --back: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e8ebf1; --muted: #9aa4b5; --line: #82aaff; --card: #1d222c; --back: #12151b; }
}
body { margin: 0 auto; padding: 1.25rem; max-width: 66rem; color: var(--text); background: var(--back);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.4rem; }
h2, figcaption { margin: 0 0 .5rem; font-size: .95rem; font-weight: 600; }
p { margin: .25rem 0 .75rem; color: var(--muted); }
progress { width: 100%; height: .6rem; margin-bottom: 1.25rem; accent-color: var(--line); }
main { display: flex; flex-wrap: wrap; gap: 1rem; }
.pictures { flex: 1 1 18rem; display: grid; gap: 1rem; align-content: start; }
.plots { flex: 2 1 20rem; display: grid; gap: 1rem; align-content: start;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 14rem), 1fr)); }
section, figure { margin: 0; padding: .75rem 1rem; border-radius: .5rem; background: var(--card); }
h2 { display: flex; justify-content: space-between; }
h2 span { font-variant-numeric: tabular-nums; }
img { display: block; width: 100%; max-width: 28rem; height: auto; background: #000; }
svg { display: block; width: 100%; height: auto; }
text { fill: var(--muted); font-size: 11px; }
.axis { stroke: var(--muted); stroke-opacity: .4; }
polyline { fill: none; stroke: var(--line); stroke-width: 2; stroke-linejoin: round; }
circle { fill: var(--line); }
"""


def train_live(trainer: Trainer, digits: Digits, test_images: Tensor, out: Path, log: Log) -> None:
    """Train as `trainer.train` does, with a page in `out` that stops reloading when the training ends in any way."""
    config = trainer.config
    page = LivePage(out, f"{config.model}, {config.recipe} recipe", config.epochs)
    page.write(log)
    click.echo(f"Open {page.path} in a browser to watch the training.")
    try:
        train(trainer, digits, test_images, out, log, page.write)
    finally:
        page.write(log, running=False)


class LivePage:
    """The page of one training.

    Args:
        out: Output folder of the training, which has the pictures of each epoch.
        title: Name of the training.
        epochs: Number of epochs of the whole training.
    """

    def __init__(self, out: Path, title: str, epochs: int):
        self.path = out / PAGE
        self.title = title
        self.epochs = epochs

    def write(self, log: Log, running: bool = True) -> None:
        """Replace the page after the last epoch of `log`. It reloads itself only while the training is `running`.

        Raises:
            TrainingError: If the page cannot be written.
        """
        running = running and len(log.epochs) < self.epochs
        refresh = f'<meta http-equiv="refresh" content="{_REFRESH_SECONDS}">\n' if running else ""
        names = [name for name in log.epochs[-1] if name not in ("epoch", "seconds")] if log.epochs else []
        plots = "\n".join(_card(name, [epoch.get(name) for epoch in log.epochs], self.epochs) for name in names)
        title = html.escape(self.title)
        page = (
            f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{refresh}'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
            f"<p>{_status(log, self.epochs, running)}</p>\n"
            f'<progress max="{self.epochs}" value="{len(log.epochs)}" aria-label="Finished epochs"></progress>\n'
            f'<main>\n<div class="pictures">\n{self._pictures(len(log.epochs))}\n</div>\n'
            f'<div class="plots">\n{plots}\n</div>\n</main>\n</body>\n</html>\n'
        )
        checkpoint.write({self.path: page.encode()})

    def _pictures(self, epoch: int) -> str:
        """Return the pictures of an epoch, embedded; samples come first."""
        suffix = f"-{epoch:03d}.png"
        return "\n".join(
            f"<figure><figcaption>{html.escape(path.name.removesuffix(suffix))}, epoch {epoch}</figcaption>"
            f'<img alt="" src="data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"></figure>'
            for path in sorted(self.path.parent.glob(f"*{suffix}"), reverse=True)
            if path.is_file()
        )


def _status(log: Log, epochs: int, running: bool) -> str:
    """Return how far the training is, and the time that it took or still needs."""
    done, seconds = len(log.epochs), [epoch.get("seconds", 0) for epoch in log.epochs]
    if done == epochs:
        return f"Finished: {epochs} epoch{'s' if epochs > 1 else ''} in {_duration(sum(seconds))}"
    if not done:
        return f"Epoch 1 of {epochs} is running" if running else f"Stopped in epoch 1 of {epochs}"
    if not running:
        return f"Stopped after epoch {done} of {epochs}; --resume continues"
    recent = seconds[-_RECENT_EPOCHS:]
    left = _duration(sum(recent) / len(recent) * (epochs - done))
    return f"Epoch {done} of {epochs} finished, about {left} left"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _card(name: str, values: list[float | None], epochs: int) -> str:
    """Return the name, the last value and the plot of a metric, of which an epoch may have no value."""
    label = html.escape(name)
    points = [(epoch, value) for epoch, value in enumerate(values, 1) if value is not None]
    return f"<section><h2>{label} <span>{points[-1][1]:.4g}</span></h2>{_plot(label, points, epochs)}</section>"


def _plot(label: str, points: list[tuple[int, float]], epochs: int) -> str:
    """Return a line chart of (epoch, value) pairs as SVG; the x-axis ends at the last epoch of the training."""
    left, right, top, bottom = 44, _WIDTH - 6, 8, _HEIGHT - 18
    lowest, highest = min(value for _, value in points), max(value for _, value in points)
    placed = [
        (
            left + (right - left) * (epoch - 1) / max(1, epochs - 1),
            bottom - (bottom - top) * ((value - lowest) / (highest - lowest) if highest > lowest else 0.5),
        )
        for epoch, value in points
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    ticks = [(top, highest), (bottom, lowest)] if highest > lowest else [((top + bottom) / 2, highest)]
    scale = "".join(
        f'<line class="axis" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>'
        f'<text x="{left - 6}" y="{y + 3.5}" text-anchor="end">{value:.3g}</text>'
        for y, value in ticks
    )
    last = f'<text x="{right}" y="{_HEIGHT - 4}" text-anchor="end">epoch {epochs}</text>' if epochs > 1 else ""
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label} by epoch">{scale}'
        f'<text x="{left}" y="{_HEIGHT - 4}">1</text>{last}<polyline points="{line}"/>'
        f'<circle cx="{placed[-1][0]:.1f}" cy="{placed[-1][1]:.1f}" r="3"/></svg>'
    )
