"""Judges what a lowering emits by what a target can do."""
