"""Frames of the microphone to programs for sound and image, as Open Sound Control: SuperCollider, Max, Pure Data, ...

    pip install '.[cpu,mic]' python-osc
    python live_osc.py [HOST [PORT]]

Each frame is a bundle of messages, with the moment at which its window was heard as the time tag:

    /edgevoice/frame       index (int), end in seconds (float), loudness in dB (float), silent (0 or 1), gap (0 or 1)
    /edgevoice/bottleneck  the descriptors (floats)
    /edgevoice/error       the reconstruction errors, one for each Mel band (floats)
"""

from __future__ import annotations

import sys

from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.udp_client import UDPClient

import edgevoice


def bundle_of(frame: edgevoice.LiveFrame) -> OscBundleBuilder:
    """The messages of a frame."""
    bundle = OscBundleBuilder(frame.time)
    place = [frame.index, frame.end, frame.loudness, int(frame.silent), int(frame.gap)]
    for address, values in (("frame", place), ("bottleneck", frame.bottleneck.tolist()), ("error", frame.error.tolist())):
        message = OscMessageBuilder(f"/edgevoice/{address}")
        for value in values:
            message.add_arg(value)
        bundle.add_content(message.build())
    return bundle


def main(host: str = "127.0.0.1", port: str = "57120") -> None:
    """Send frames until Ctrl-C."""
    client = UDPClient(host, int(port))
    with edgevoice.Microphone(edgevoice.load("cae-64")) as microphone:
        print(f"{microphone.device.name} to {host}:{port}", flush=True)
        try:
            for frame in microphone:
                client.send(bundle_of(frame).build())
        except KeyboardInterrupt:
            print(microphone.summary())


if __name__ == "__main__":
    main(*sys.argv[1:3])
