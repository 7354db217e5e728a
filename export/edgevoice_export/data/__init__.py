"""The audio that networks are trained on: corpora, windows drawn from them, and changes of these windows."""
