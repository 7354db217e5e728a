"""Frames of the microphone to a lab's recorder, as a stream of the Lab Streaming Layer beside EEG and eye trackers.

    pip install '.[cpu,mic]' pylsl
    python live_lsl.py [MODEL]

A sample is stamped with the moment at which the last sound of its window was captured, on LSL's own clock: a recorder
such as LabRecorder aligns it with other devices. Channels have the names of the descriptors.
"""

from __future__ import annotations

import sys
import time

import pylsl

import edgevoice


def outlet_of(extractor: edgevoice.Extractor) -> pylsl.StreamOutlet:
    """The stream that a recorder sees."""
    config, names = extractor.config, extractor.layout.names
    rate = config.audio.rate / config.audio.hop
    info = pylsl.StreamInfo(f"EdgeVoice {config.name}", "Audio", len(names), rate, "float32", f"edgevoice-{config.name}")
    channels = info.desc().append_child("channels")
    for name in names:
        channels.append_child("channel").append_child_value("label", name)
    return pylsl.StreamOutlet(info)


def main(model: str = "cae-64") -> None:
    """Stream frames until Ctrl-C."""
    extractor = edgevoice.load(model)
    outlet = outlet_of(extractor)
    with edgevoice.Microphone(extractor) as microphone:
        print(f"{microphone.device.name}, {outlet.channel_count} channels", flush=True)
        try:
            for frame in microphone:
                # The two clocks differ by a constant, which is read anew: a suspended machine can change it.
                offset = pylsl.local_clock() - time.monotonic()
                outlet.push_sample(frame.values.tolist(), frame.captured + offset)
        except KeyboardInterrupt:
            print(microphone.summary())


if __name__ == "__main__":
    main(*sys.argv[1:2])
