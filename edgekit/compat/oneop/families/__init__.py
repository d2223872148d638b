"""Families of one-op models: one file per kind of op."""
