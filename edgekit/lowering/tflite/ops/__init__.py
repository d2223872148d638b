"""Lowerings to TFLite, one file per op family."""
