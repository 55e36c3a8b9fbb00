"""The press: from a finished training's weights to verified ONNX artifacts. Run from a checkout with `python -m`."""
