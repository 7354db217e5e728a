"""Complete files and folders: written under a temporary name, and renamed when they are complete."""
