"""Measures tiles on this machine and keeps what it learns in a log."""
