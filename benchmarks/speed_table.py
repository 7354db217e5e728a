"""The sections on speed of docs/performance.md, from the JSON in `benchmarks/results`.

    python -m benchmarks.speed_table docs/performance.md

puts each between that page's two comments of its name: `speed` from `benchmarks.peers` and `edgevoice bench
--json`, `corpus` from `benchmarks.corpus_speed`, `clients` from `benchmarks.hub`, `light` from `benchmarks.light`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
from pathlib import Path
from textwrap import fill
from typing import Any

from benchmarks.measuring import RESULTS
from edgevoice_export.publish.markdown import table


def marks(name: str, module: str = "speed_table") -> tuple[str, str]:
    """The comments that a section stands between."""
    return f"<!-- {name}: made by python -m benchmarks.{module} -->", f"<!-- /{name} -->"


def speed_section(peers: dict[str, Any], bench: dict[str, Any]) -> str:
    """Markdown: the peers' table, and what was measured of EdgeVoice alone."""
    machine, audio = peers["machine"], peers["audio"]
    one, default = peers["peers"]["one thread"], peers["peers"]["default"]
    header = (
        "",
        "ms per window, one thread",
        "as it comes",
        "real-time factor",
        "start, s",
        "resident, MB",
        "installed, MB",
    )
    rows = []
    for name, peer in one.items():
        times = f"{peer['milliseconds']:.2f}", f"{default[name]['milliseconds']:.2f}", f"{peer['real_time_factor']:.4f}"
        sizes = f"{peer['resident'] / 1e6:.0f}", f"{peers['installed'][name] / 1e6:.0f}"
        rows.append((peer["title"], *times, f"{peer['start']:.2f}", *sizes))
    median = {name: stage["p50_ms"] for name, stage in bench["stages"].items()}
    ratios = bench["ratios"]
    priority = " at real-time priority" if machine["real_time"] else ""
    introduction = (
        f"The same recording ({audio['seconds']:.1f} s, {audio['windows']} windows of 500 ms), a process each, in turns, on "
        f"{machine['processor']} ({machine['cores']} cores){priority}, Python {machine['python']}, ONNX Runtime "
        f"{machine['packages']['onnxruntime']}, PyTorch {machine['packages']['torch']}. Start is from that of the process "
        "to its first features. The numbers of programs that compute the same were compared first."
    )
    alone = (
        f"`edgevoice bench` on one core of the same machine, medians: front end {median['front end']:.2f} ms "
        f"({ratios['front end / fft']:.2f} times its bare FFT), encoder {median['encoder']:.2f} ms, "
        f"`encode()` {median['encode()']:.2f} ms ({ratios['encode() / encoder']:.2f} times the bare encoder), a `push` that "
        f"gives a frame {median['push with a frame']:.2f} ms."
    )
    if live := bench["live_streams"]:
        alone += (
            f" {live['count']} live streams on {live['threads']} threads had 99 % of their frames within "
            f"{live['p99_ms']:.0f} ms."
        )
    return "\n\n".join([fill(introduction, 120), table(header, rows, "l" + "r" * (len(header) - 1)), fill(alone, 120)])


def corpus_section(found: dict[str, Any]) -> str:
    """Markdown: a corpus to a table of static features, beside other programs."""
    machine, few = found["machine"], found["few"]
    own = next(iter(found["seconds"]))
    average = found["seconds of audio"] / found["files"]
    introduction = (
        f"A corpus to a table of static features ({found['files']} files, {average:.1f} s each on average), from the start "
        f"of the process to its end, on {machine['cores']} cores ({machine['processor']}), each program with its best use "
        f"of them; DisVoice with {few['files']} of the files. Medians of {found['turns']} turns."
    )
    rows = []
    for measured in (found, few):
        base = measured["seconds"][own]
        for name, seconds in measured["seconds"].items():
            rows.append((name, str(measured["files"]), f"{seconds:.1f}", f"{seconds / base:.1f}"))
    share = found["reading"] / machine["cores"] / found["seconds"][own]
    closing = (
        f"Reading and resampling are {100 * share:.0f} % of EdgeVoice's time. A dataset of all {found['files']} files where "
        f"nothing is left to do takes {found['nothing to do']:.2f} s, start included."
    )
    header = ("", "files", "s", "times EdgeVoice")
    return "\n\n".join([fill(introduction, 120), table(header, rows, "lrrr"), fill(closing, 120)])


def hub_section(found: dict[str, Any]) -> str:
    """Markdown: many clients of one process."""
    machine = found["machine"]
    introduction = (
        f"Clients at 16 kHz in blocks of 20 ms, `{found['model']}`, one process on {machine['cores']} cores "
        f"({machine['processor']}): how long after the last sample of a window was spoken its frame arrives, and the cores "
        f"that the process takes, clients included. Medians of {found['turns']} turns of {found['seconds']:g} s; every "
        "frame arrived."
    )
    rows = []
    for run in found["runs"]:
        for kind in ("spread", "at once", "a stream per client"):
            one = run[kind]
            if one["frames"] < one["expected"]:
                raise SystemExit(f"{run['clients']} clients, {kind}: {one['frames']} frames of {one['expected']}")
            delays = [f"{one['delay_ms'][name]:.0f}" for name in ("p50", "p99")]
            title = kind if kind == "a stream per client" else f"`Hub`, clients begin {kind}"
            rows.append((str(run["clients"]), title, *delays, f"{one['cpu']:.2f}"))
    header = ("clients", "", "half within, ms", "99 % within, ms", "cores")
    return "\n\n".join([fill(introduction, 120), table(header, rows, "llrrr")])


def light_section(found: dict[str, Any], quality: dict[str, Any]) -> str:
    """Markdown: the light models beside those of their size."""
    pairs, starts, graphs = found["speed"]["pairs"], found["speed"]["start"], found["speed"]["live graph, MB"]
    names = [name for pair in pairs for name in pair.split(" / ")]
    header = ["ms of one thread"]
    for pair in pairs:
        header += [*(f"`{name}`" for name in pair.split(" / ")), "ratio"]
    rows = []
    for stage in next(iter(pairs.values())):
        cells = [[*(f"{ms:.2f}" for ms in pair[stage]["ms"]), f"{pair[stage]['ratio']:.2f}"] for pair in pairs.values()]
        rows.append([stage, *itertools.chain(*cells)])
    speed = table(header, rows, "l" + "r" * (len(header) - 1))
    start = ", ".join(f"{starts[name]['ratio']:.2f} (`{name}`)" for name in names)
    sizes = ", ".join(f"{graphs[name]:.1f} MB (`{name}`)" for name in names)
    text = f"From the start of a process to its first frame, times the bare import of NumPy and ONNX Runtime: {start}."
    text += f" Live graph: {sizes}."

    if corpus := found.get("corpus"):
        own, *others = corpus["seconds"].items()
        beside = ", ".join(f"{name} {seconds / own[1]:.1f} times as long" for name, seconds in others)
        text += f" A corpus of {corpus['files']} files to a table: {own[0]} {own[1]:.1f} s, {beside}."
    if hub := found.get("hub"):
        text += (
            f" {hub['clients']} clients of a `Hub` with `light-256` have 99 % of their frames within "
            f"{hub['delay_ms']['p99']:.0f} ms."
        )

    tasks = list(next(iter(found["order"].values()))["probes"])
    ordered = [
        [model, f"{1e4 * row['error']:.2f}", *(f"{row['probes'][task]:.3f}" for task in tasks)]
        for model, row in found["order"].items()
    ]
    order = table(["numbers", "error, 1e-4", *tasks], ordered, "lrrrr")

    changes = [name for name in next(iter(found["worth"].values()))["moves"]["code"] if not name.startswith("gain")]
    moved = []
    for name in names:
        own = found["worth"].get(name)
        moves = own["moves"]["code"] if own else quality["movement_of_parts"]["code"][name]
        moved.append([f"`{name}`", *(f"{moves[change]['mean']:.2f}" for change in changes)])
    moves = table(["", *changes], moved, "l" + "r" * len(changes))
    return "\n\n".join([speed, fill(text, 120), ORDERED, order, MOVED, moves])


ORDERED = """The code of `light-256` is ordered: its first numbers are a code of their own. Error, and linear probes by folds
over speakers whom the networks have partly heard (the mean over five penalties): the first numbers of `light-256`, and
networks of that size alone."""
MOVED = """How far the functionals of the code move when the sound changes and the speech does not, as a share of their
distance from the mean of a corpus:"""


def sections() -> dict[str, str]:
    """Every section by its name."""

    def read(name: str) -> Any:
        return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))

    return {
        "speed": speed_section(read("peers"), read("bench-cae-256")),
        "corpus": corpus_section(read("corpus_speed")),
        "clients": hub_section(read("hub")),
        "light": light_section(read("light"), read("feature_quality")),
    }


def main() -> None:
    """Put the sections into a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    path: Path = parser.parse_args().page
    text = path.read_text(encoding="utf-8")
    for name, section in sections().items():
        text = placed(text, name, section)
    path.write_text(text, encoding="utf-8")


def placed(text: str, name: str, section: str, module: str = "speed_table") -> str:
    """A page with a section between its comments."""
    begin, end = marks(name, module)
    found = re.compile(f"{re.escape(begin)}\n.*?{re.escape(end)}", re.DOTALL)
    if not found.search(text):
        raise SystemExit(f"the page has no lines {begin!r} and {end!r}")
    return found.sub(lambda _: f"{begin}\n{section}\n{end}", text)


if __name__ == "__main__":
    main()
