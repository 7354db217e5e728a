"""How many labels are enough? Fits with ever more of them, on your own recordings.

    python few_labels.py utterances.csv sex speaker [cae-256 cae-64 ...]

Each share of the recordings is drawn five times; the score is of groups (speakers) that were not learnt from.
"""

import sys

import edgevoice

labels, label, group, *models = sys.argv[1:]
found = edgevoice.compare(
    labels, label=label, group=group, models=models or ["cae-256"], opensmile=(), fractions=(0.1, 0.2, 0.5, 1)
)
for one in found.found:
    for share, (mean, spread) in one.curve.items():
        print(f"{one.name}  {100 * share:3.0f} % of the labels: {mean:.3f} +- {spread:.3f}")
