"""Live audio: from an input device to frames with time and latency."""
