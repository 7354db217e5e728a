"""What the audio libraries do not notice about the files that they read."""
