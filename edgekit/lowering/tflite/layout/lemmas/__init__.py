"""The lemmas, one file per family of ops."""
