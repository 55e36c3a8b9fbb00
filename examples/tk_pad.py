"""A window with a digit pad: each click or key press shows a new handwritten digit.

Install:  pip install -e '.[cpu]'; tkinter comes with Python, on Debian and Ubuntu as the package python3-tk
Run:      python examples/tk_pad.py
Ship:     pyinstaller --onefile --windowed --exclude-module onnxruntime.transformers examples/tk_pad.py
"""

import tkinter as tk

import numpy as np

import mnistgen

ZOOM = 8


class Pad(tk.Tk):
    """A window in which press number i draws image i of `seed`."""

    def __init__(self, generator: mnistgen.Generator, seed: int):
        super().__init__()
        self.title("Handwritten digits")
        self.resizable(False, False)
        self._generator = generator
        self._seed = seed
        self._presses = 0
        self._picture = tk.PhotoImage(width=28 * ZOOM, height=28 * ZOOM)
        self._paper = tk.Label(self, image=self._picture, background="black")
        self._paper.grid(columnspan=5, padx=8, pady=8)
        for digit in range(10):
            key = tk.Button(self, text=str(digit), width=3, command=lambda digit=digit: self.draw(digit))
            key.grid(row=1 + digit // 5, column=digit % 5, padx=2, pady=2)
            self.bind(str(digit), lambda event, digit=digit: self.draw(digit))

    def draw(self, digit: int) -> None:
        """Show a new handwritten `digit`. This takes milliseconds, so it needs no thread."""
        image = self._generator.generate(digit=digit, seed=self._seed, start=self._presses)[0]  # (28, 28)
        self._presses += 1
        self._picture = tk.PhotoImage(data=as_pgm(image)).zoom(ZOOM)  # keep a reference: Tk does not
        self._paper.configure(image=self._picture)


def as_pgm(image: np.ndarray) -> bytes:
    """Encode a gray image, uint8 (height, width), in a format that Tk reads."""
    height, width = image.shape
    return b"P5 %d %d 255\n" % (width, height) + image.tobytes()


def main() -> None:
    import secrets

    with mnistgen.load("cgan") as generator:
        pad = Pad(generator, seed=secrets.randbits(32))
        pad.draw(secrets.randbelow(10))
        pad.mainloop()


if __name__ == "__main__":
    main()
