"""A model repository for the Triton Inference Server: `python -m export.triton`."""
