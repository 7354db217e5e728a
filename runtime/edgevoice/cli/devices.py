"""`edgevoice devices`: the microphones that can be used."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from edgevoice.cli.console import aligned, quiet_libraries, show
from edgevoice.cli.options import Listing, command
from edgevoice.microphone.devices import input_devices, supported_rates

_EPILOG = """\
examples:
  edgevoice devices
  edgevoice devices --json

The star marks the default device. --mic takes the number of a device, or a part of its name. The rates are the common
ones that the device supports. EdgeVoice tries the rate of the model first, and resamples if the device refuses it.
"""


def run(asked: Listing) -> int:
    """Print the input devices."""
    with quiet_libraries():
        # `rates` is empty while a device is busy or unplugged.
        devices = [{**asdict(device), "rates": supported_rates(device)} for device in input_devices()]
    if asked.json:
        show(json.dumps(devices, indent=1))
    elif not devices:
        show("No input devices. Is a microphone plugged in, and the audio server running?")
    else:
        rows = [("", "NUMBER", "NAME", "SYSTEM", "CHANNELS", "OWN RATE", "RATES"), *map(_row, devices)]
        show(aligned(rows))
    return 0


def _row(device: dict[str, Any]) -> tuple[str, ...]:
    rates = " ".join(map(str, device["rates"])) or "none now"
    number, channels, rate = (str(device[key]) for key in ("index", "channels", "rate"))
    return ("*" if device["default"] else "", number, device["name"], device["host"], channels, rate, rates)


add = command("devices", Listing, run, _EPILOG)
