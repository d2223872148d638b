"""Data, networks and packaging behind ``scripts/train_golden.py``."""
