"""Ops that have no form in the hub, with their reasons."""

from __future__ import annotations

STATE = "it keeps a state between calls"
GRAPHS = "it calls another graph of the file"
REASONS = {
    **dict.fromkeys(
        ("SVDF", "LSTM", "RNN", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN",
         "BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN", "VAR_HANDLE", "READ_VARIABLE",
         "ASSIGN_VARIABLE", "CALL_ONCE", "HASHTABLE"),
        STATE,
    ),
    **dict.fromkeys(("IF", "WHILE", "CALL", "STABLEHLO_COMPOSITE"), GRAPHS),
}  # fmt: skip
"""By TFLite's name of the op."""
