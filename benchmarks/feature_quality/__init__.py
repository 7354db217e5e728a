"""What are the features worth, and how stable are they?

Three questions on speechocean762, asked of every feature set in one run: who is speaking, told by linear probes from the
static vector; how far does the vector move when the sound changes but the speech does not; and how much of the spectrogram
do the codes keep on speakers that no code was fitted on. Run from the root of the repository:

    python -m benchmarks.feature_quality --data FOLDER [--models NAME_OR_PATH ...] [--disvoice WHEEL]

JSON, figures and a page go to `benchmarks/results`; what was computed is kept, and a run that was stopped goes on.
"""
