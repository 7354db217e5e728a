"""Who speaks? Says what a head hears at the microphone, or in a recording.

edgevoice fit utterances.csv --label sex --group speaker -o sex.onnx
python live_classifier.py sex.onnx [speech.wav]
"""

import sys

import edgevoice

head = edgevoice.load_head(sys.argv[1])
extractor = edgevoice.load(head.recipe.model, descriptors=head.recipe.descriptors)
judge = head.judge(extractor)
for frame in extractor.extract(sys.argv[2]) if sys.argv[2:] else edgevoice.Microphone(extractor):
    if decision := judge.push(frame):
        said = decision.value if decision.label is None else decision.label
        print(f"{decision.end:.2f} s  {said}  {decision.probabilities}", flush=True)
