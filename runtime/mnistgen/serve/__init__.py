"""Serve digits over HTTP; needs the extra `serve`. Only `mnistgen serve` imports this package."""
