"""From ONNX graphs to a model folder: verified, measured, with its card."""
