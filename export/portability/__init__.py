"""Run the ONNX files in runtimes that others wrote, and compare their images: `python -m export.portability`."""
