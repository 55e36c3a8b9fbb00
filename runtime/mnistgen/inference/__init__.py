"""Run a model with ONNX Runtime on a CPU or GPU."""
