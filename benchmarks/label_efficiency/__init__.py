"""How many labels do learned features need?

Few recordings have labels, many have none. The many train an autoencoder; of the few, growing shares are given to
classifiers, on the autoencoder's features and on hand-made ones. Run from the root of the repository:

    python -m benchmarks.label_efficiency speakers --data FOLDER --unheard FOLDER

The experiment is that of V. Lamprou, "Feature Extraction with Convolutional Autoencoders" (2023), on other
recordings.
"""
