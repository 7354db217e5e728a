"""Figures as pages: they hold all that they show and play, and load nothing."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

import edgevoice
from edgevoice.cli import main

pytest.importorskip("matplotlib", reason="the plot extra is not installed")
pytest.importorskip("bokeh", reason="the html extra is not installed")
from edgevoice.plotting.page import sound_of, write_page
from edgevoice.plotting.timeaxis import label_hertz


def sounds_in(page: str) -> list[np.ndarray]:
    found = re.findall(r'src="data:audio/flac;base64,([^"]+)"', page)
    return [soundfile.read(io.BytesIO(base64.b64decode(one)), dtype="int16")[0] for one in found]


def test_a_recording_is_in_its_page(speech: Path, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.html"
    assert main(["plot", str(speech), "-o", str(out), "--model", str(tiny_model), "--start", "1", "--end", "3"]) == 0
    page = out.read_text()
    (sound,) = sounds_in(page)
    np.testing.assert_array_equal(sound, soundfile.read(speech, dtype="int16")[0][16_000:48_000])
    assert json.loads(re.search(r'id="edgevoice.recipe">(.*?)</script>', page)[1])["model"] == "tiny"  # type: ignore[index]
    assert not re.search(r"<(script|link|img|iframe)\s[^>]*\b(src|href)=", page), "nothing is loaded from elsewhere"
    assert str(speech.parent) not in page
    for told in ("Hz", "unit 1", "unit 3", "playing 0"):
        assert told in page, told


def test_several_recordings_have_a_player_each(tmp_path: Path, noise: np.ndarray, tiny_model: Path) -> None:
    names = ["a<b>&.wav", "\u6e2c.wav"]
    for k, name in enumerate(names):
        soundfile.write(tmp_path / name, noise[: 16_000 * (k + 1)], 16_000)
    out = tmp_path / "out.html"
    words = ["plot", *(str(tmp_path / name) for name in names), "-o", str(out), "--model", str(tiny_model)]
    assert main([*words, "--style", "dark", "--title", "</script><b>"]) == 0
    page = out.read_text()
    assert [len(sound) for sound in sounds_in(page)] == [16_000, 32_000]
    assert "a&lt;b&gt;&amp;.wav" in page
    assert "colours: bottleneck, standard deviations" in page, "beside a bar it would be cut"
    assert "</script><b>" not in page


def test_a_long_recording_is_refused() -> None:
    features = SimpleNamespace(start=np.array([2.0]), end=np.array([1803.0]))
    with pytest.raises(edgevoice.ArgumentError, match="30 minutes"):
        sound_of("long", features, [])  # type: ignore[arg-type]


def test_gaps_and_silence_are_marked(tiny: edgevoice.Extractor, noise: np.ndarray) -> None:
    stream = tiny.stream()
    stream.push(noise[:16_000])
    stream.skip(4000)
    page = write_page(edgevoice.plot(stream.push(noise[:16_000]), tiny)).decode()
    assert '"gap"' in page


def test_a_point_of_a_map_says_what_it_is(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [f"f{k}.wav,{k % 2},{k // 2}," + ",".join(f"{x:.3f}" for x in rng.normal(size=3)) for k in range(12)]
    (tmp_path / "t.csv").write_text("file,who,k,bottleneck_0,bottleneck_1,bottleneck_2\n" + "\n".join([*lines, ""]))
    out = tmp_path / "out.html"
    assert main(["map", str(tmp_path / "t.csv"), "-o", str(out), "--colour", "who"]) == 0
    assert [f"file f{k}.wav, who {k % 2}" in out.read_text() for k in range(12)] == [True] * 12


def test_a_band_has_its_frequency(tiny: edgevoice.Extractor) -> None:
    from matplotlib.figure import Figure

    panel = Figure().subplots()
    label_hertz(panel, tiny.config.spectrogram.bands)
    assert panel.format_ydata(0) == "0 Hz"
    marks = dict(zip((text.get_text() for text in panel.get_yticklabels()), panel.get_yticks(), strict=True))
    assert panel.format_ydata(marks["2 kHz"]) in ("1999 Hz", "2000 Hz", "2001 Hz")


@pytest.mark.skipif(not shutil.which("chromium"), reason="Chromium is not installed")
def test_a_browser_draws_it(tiny: edgevoice.Extractor, speech: Path, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "a.html").write_bytes(write_page(edgevoice.plot(speech, tiny)))
    words = f"chromium --headless --no-sandbox --disable-gpu --window-size=1280,1000 --user-data-dir={tmp_path}".split()
    words += ["--virtual-time-budget=9000", f"--screenshot={tmp_path / 'a.png'}", f"file://{tmp_path / 'a.html'}"]
    subprocess.run(words, check=True, capture_output=True, timeout=200)
    with image.open(tmp_path / "a.png") as picture:
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 1000
