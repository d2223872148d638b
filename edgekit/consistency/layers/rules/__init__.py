"""Rounding rules by family of ops; each module registers its own."""
