"""Measure the quality of generated digits and certify it."""
