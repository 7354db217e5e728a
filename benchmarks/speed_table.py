"""The section on speed of docs/performance.md, from the results of `benchmarks.peers` and `edgevoice bench --json`.

    python -m benchmarks.speed_table [docs/performance.md]

prints it, or puts it between that page's two comments `speed`.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from textwrap import fill
from typing import Any

from edgevoice.bench.report import Report
from edgevoice_export.publish.markdown import table

RESULTS = Path(__file__).parent / "results"
BEGIN, END = "<!-- speed: made by python -m benchmarks.speed_table -->", "<!-- /speed -->"


def speed_section(peers: dict[str, Any], report: Report) -> str:
    """Markdown: the peers' table, and what was measured of EdgeVoice alone."""
    machine, audio = peers["machine"], peers["audio"]
    one, default = peers["peers"]["one thread"], peers["peers"]["default"]
    header = ("", "ms a window, one thread", "as it comes", "real-time factor", "start, s", "resident, MB", "installed, MB")
    rows = []
    for name, peer in one.items():
        rows.append(
            (
                peer["title"],
                f"{peer['milliseconds']:.2f}",
                f"{default[name]['milliseconds']:.2f}",
                f"{peer['real_time_factor']:.4f}",
                f"{peer['start']:.2f}",
                f"{peer['resident'] / 1e6:.0f}",
                f"{peers['installed'][name] / 1e6:.0f}",
            )
        )
    median = {name: 1e3 * timing.median for name, timing in report.timings.items()}
    ratios = report.ratios
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
    if report.live:
        live = report.live
        alone += (
            f" {live.count} live streams on {live.threads} threads had 99 % of their frames within "
            f"{1e3 * live.p99:.0f} ms: {100 * live.share:.0f} % of what the cores could hold if only the networks cost time."
        )
    return "\n\n".join([fill(introduction, 120), table(header, rows, "l" + "r" * (len(header) - 1)), fill(alone, 120)])


def main() -> None:
    """Print the section, or put it into a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readme", type=Path, nargs="?", help="the file to put it into; printed without one")
    path: Path | None = parser.parse_args().readme
    peers = json.loads((RESULTS / "peers.json").read_text(encoding="utf-8"))
    section = speed_section(peers, Report.read(RESULTS / "bench-cae-256.json"))
    if path is None:
        print(section)
        return
    text = path.read_text(encoding="utf-8")
    found = re.compile(f"{re.escape(BEGIN)}\n.*?{re.escape(END)}", re.DOTALL)
    if not found.search(text):
        raise SystemExit(f"{path}: has no lines {BEGIN!r} and {END!r}")
    path.write_text(found.sub(lambda _: f"{BEGIN}\n{section}\n{END}", text), encoding="utf-8")


if __name__ == "__main__":
    main()
