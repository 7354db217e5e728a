"""Serve the page on this machine alone, with a live graph of each model.

npm ci --prefix js
python examples/browser/serve.py cae-256 cae-64

Then open http://127.0.0.1:8000/examples/browser/ in a browser.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of the checkout, and the graphs."""

    graphs: Path
    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}  # noqa: RUF012

    def translate_path(self, path: str) -> str:
        """Where an address leads: `/graphs/` and `/graphs.json` to the graphs, all else into the checkout."""
        if path.startswith("/graphs"):
            return str(self.graphs / Path(path.removeprefix("/graphs/").removeprefix("/")).name)
        return super().translate_path(path)

    def log_message(self, *_: Any) -> None:
        """Say nothing of single requests."""


def main() -> None:
    """Make the graphs, and serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=["cae-256", "cae-64"])
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one (default: 8000)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Handler.graphs = Path(folder)
        for model in options.models:
            words = ["live", model, "-o", str(Handler.graphs / f"{model}.onnx")]
            subprocess.run([sys.executable, "-m", "edgevoice_export.cli", *words], check=True, stdout=subprocess.DEVNULL)
        (Handler.graphs / "graphs.json").write_text(json.dumps(options.models), encoding="utf-8")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), functools.partial(Handler, directory=ROOT))
        print(f"http://127.0.0.1:{server.server_port}/examples/browser/", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
