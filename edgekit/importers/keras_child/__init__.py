"""What runs in the child process that imports a Keras or TensorFlow model.

TensorFlow, Keras and tf2onnx are imported in this package only, and only in that process: they print,
change global state, take seconds to start and can abort. `edgekit.importers.keras_process` starts it.
"""
