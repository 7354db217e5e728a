"""The version of ONNX's operators that every graph is written in."""

OPSET = 18
