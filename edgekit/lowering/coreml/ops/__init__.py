"""Lowerings to Core ML, one file per family of ops."""
