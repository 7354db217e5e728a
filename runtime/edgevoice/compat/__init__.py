"""Interfaces of other packages, implemented with EdgeVoice."""
