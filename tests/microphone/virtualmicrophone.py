"""A microphone without hardware: a PulseAudio server of our own with a pipe or a null sink that is recorded.

Nothing here touches the server of the user's session: socket, cookie and home are in a temporary folder. PortAudio reads
its environment once, so programs that capture run as processes of their own, with `VirtualMicrophone.environment`.
"""

from __future__ import annotations

import contextlib
import ctypes.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, Self

PLUGINS = ("/usr/lib/*/alsa-lib/libasound_module_pcm_pulse.so", "/usr/lib/alsa-lib/libasound_module_pcm_pulse.so")


def missing() -> str | None:
    """Why no virtual microphone can be had on this machine, or None where it can."""
    lacking = [tool for tool in ("pulseaudio", "pactl", "paplay") if shutil.which(tool) is None]
    if lacking:
        return f"{', '.join(lacking)} not installed (packages pulseaudio, pulseaudio-utils)"
    if not any(list(Path("/").glob(pattern.lstrip("/"))) for pattern in PLUGINS):
        return "ALSA's PulseAudio plugin not installed (package libasound2-plugins)"
    if ctypes.util.find_library("portaudio") is None:
        return "PortAudio not installed (package libportaudio2)"
    return None


class VirtualMicrophone:
    """A PulseAudio server whose default input is a pipe (`kind="pipe"`) or the monitor of a null sink (`kind="sink"`).

    A pipe hands on exactly the samples that `writer` is given, at the pace of the writing; without a writer it stalls.
    A null sink runs by itself, gives silence, and plays what `paplay` is told to.
    """

    def __init__(self, kind: str = "sink", rate: int = 16000, channels: int = 1) -> None:
        self.rate, self.channels, self.kind = rate, channels, kind
        # The path of a socket over 107 characters is cut silently: a short folder, not pytest's.
        self.folder = Path(tempfile.mkdtemp(prefix="ev-", dir="/tmp"))
        folder, others = str(self.folder), ("DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "PULSE_SINK", "PULSE_SOURCE")
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in others},
            **dict.fromkeys(("XDG_RUNTIME_DIR", "HOME", "PULSE_RUNTIME_PATH", "PULSE_STATE_PATH"), folder),
            "PULSE_COOKIE": f"{folder}/cookie",
            "PULSE_SERVER": f"unix:{folder}/p",
            "ALSA_CONFIG_PATH": f"/usr/share/alsa/alsa.conf:{folder}/asound.conf",
        }
        (self.folder / "asound.conf").write_text(
            'pcm.!default { type pulse hint { show on description "vmic" } }\n'
            "ctl.!default { type pulse }\n"
            'pcm.second { type pulse device "second.monitor" hint { show on description "second" } }\n'
        )
        self.server: subprocess.Popen[bytes] | None = None
        self.module = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start the server and plug the microphone in."""
        self.server = subprocess.Popen(
            [
                "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--disallow-exit=1", "--use-pid-file=no",
                "--disable-shm=1", "--realtime=no", "--high-priority=no", "--log-target=stderr", "--log-level=error",
                "-L", f"module-native-protocol-unix auth-anonymous=1 socket={self.folder}/p",
            ],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 10
        while subprocess.run(["pactl", "info"], env=self.environment, capture_output=True, check=False).returncode:
            if time.monotonic() > deadline or self.server.poll() is not None:
                raise RuntimeError("the PulseAudio server does not start")
            time.sleep(0.05)
        self.plug()

    def kill(self) -> None:
        """Kill the server as a crash would."""
        if self.server is not None:
            self.server.kill()
            self.server.wait()
            self.server = None

    def control(self, *arguments: str) -> str:
        """Run `pactl`; return what it printed."""
        done = subprocess.run(
            ["pactl", *arguments], env=self.environment, capture_output=True, text=True, check=True, timeout=20
        )
        return done.stdout.strip()

    def plug(self) -> None:
        """Plug the microphone in and make it the default."""
        form = f"rate={self.rate} channels={self.channels}"
        if self.kind == "pipe":
            pipe = f"file={self.folder}/fifo format=s16le"
            self.module = self.control(
                "load-module", "module-pipe-source", "source_name=vpipe", *pipe.split(), *form.split()
            )
            self.control("set-default-source", "vpipe")
        else:
            self.module = self.add_sink("vmic")
            self.control("set-default-source", "vmic.monitor")

    def add_sink(self, name: str) -> str:
        """Load one more null sink, whose monitor can be recorded; return the index of its module."""
        # Without norewinds=1 the monitor loses audio.
        form = f"rate={self.rate} channels={self.channels} norewinds=1"
        return self.control("load-module", "module-null-sink", f"sink_name={name}", *form.split())

    @contextlib.contextmanager
    def away(self, fault: str) -> Iterator[None]:
        """Inside this context the microphone is unplugged, its server killed or frozen, or itself suspended.

        A suspended one stops without a word, and what it would hear is lost.
        """
        assert self.server is not None
        begin, end = {
            "unplugged": (lambda: self.control("unload-module", self.module), self.plug),
            "killed": (self.kill, self.start),
            "frozen": (lambda: self.server.send_signal(signal.SIGSTOP), lambda: self.server.send_signal(signal.SIGCONT)),
            "suspended": tuple(partial(self.control, "suspend-sink", "vmic", on) for on in "10"),
        }[fault]
        begin()
        try:
            yield
        finally:
            end()

    def writer(self) -> IO[bytes]:
        """The end of the pipe that PCM samples, int16, are written to."""
        return (self.folder / "fifo").open("wb", buffering=0)

    def play(self, path: Path, sink: str = "vmic") -> subprocess.Popen[bytes]:
        """Play an audio file into a sink."""
        return subprocess.Popen(["paplay", f"--device={sink}", "--latency-msec=500", str(path)], env=self.environment)


def speak(writer: IO[bytes], pcm: bytes, rate: int, channels: int = 1, block: float = 0.01) -> None:
    """Write int16 samples at the pace of speech: each block of `block` seconds at its end, by an absolute clock."""
    size = round(rate * block) * channels * 2
    started = time.monotonic()
    for k, start in enumerate(range(0, len(pcm), size), start=1):
        time.sleep(max(0.0, started + k * block - time.monotonic()))
        writer.write(pcm[start : start + size])
