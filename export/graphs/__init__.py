"""Turn trained networks into ONNX graphs."""
