"""Check digits, speed and training on a GPU, unattended and without a network: `python -m export.gpu_check`."""
