"""Lowering to Core ML: hub IR in, MIL program and `.mlpackage` out."""
