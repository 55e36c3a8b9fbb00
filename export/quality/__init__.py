"""Measure and certify the quality of generated digits."""
