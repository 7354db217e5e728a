"""From a trained network to ONNX graphs."""
