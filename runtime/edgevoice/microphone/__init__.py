"""Live audio through PortAudio."""
