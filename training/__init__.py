"""The workshop: PyTorch code that trains the three digit generators. Run from a checkout with `python -m`."""
