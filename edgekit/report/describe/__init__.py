"""Turns models, artifacts and verdicts into sections of a report."""
