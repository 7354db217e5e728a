"""Whole files and folders: written beside their place, and renamed when they are complete."""
