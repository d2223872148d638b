"""Lowerings of ONNX ops to kernels; one file per family."""
