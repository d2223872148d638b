"""Evaluates the ML Program of a saved Core ML package in numpy.

It reads what a device would read, the specification and the weights of the `.mlpackage`, and shares no code
with the lowering that wrote it. It is written from the definitions of the MIL ops.

Arithmetic: floats are computed in float32, whatever the program's type is, and each result is rounded to the
type that the op has (to nearest, ties to even; beyond float16's range it becomes infinite). Core ML specifies
neither the order nor the width of its accumulations, so that a device may differ by a few roundings per op.

    package   finds the files of a package
    proto     the protobuf classes of the specification
    blob      reads the file of weights
    values    constants, inline or in the file of weights
    types     types of values
    program   the program as frozen dataclasses, checked
    features  what the model takes and gives: arrays, images, labels
    table     the table of ops: their parameters are the parameters of the functions
    ops/      one file for each family of ops
    evaluate  runs a program
    diverge   names the first op at which two packages differ
"""
