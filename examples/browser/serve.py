"""Serve the page to this machine's browsers, with a live graph of each model.

ONNXRUNTIME_NODE_INSTALL=skip ONNXRUNTIME_NODE_INSTALL_CUDA=skip npm ci --prefix js
python examples/browser/serve.py cae-256 cae-64
python examples/browser/serve.py cae-256 --head sex.onnx

Then open http://127.0.0.1:8000/ in a browser. A page of your own that is not bundled needs the same files.
"""

from __future__ import annotations

import argparse
import http.server
import json
import mimetypes
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent
JS = PAGE.parents[1] / "js"


def files(package: Path, runtime: Path) -> dict[str, Path]:
    """Return what the page needs, by its address: all that is given out beside the graphs.

    Args:
        package: the folder of the npm package.
        runtime: the folder of the npm package onnxruntime-web.
    """
    source = package / "src"
    modules = {path.relative_to(source).as_posix(): path for path in source.rglob("*.js")}
    modules |= {path.name: path for path in (source / "plain").iterdir()}  # of the two workers, that which is not bundled
    for name in ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"):
        modules[name] = runtime / "dist" / name
    page = {f"/{name}": PAGE / name for name in ("page.css", "page.js")}
    return {"/": PAGE / "index.html", **page, **{f"/edgevoice/{name}": path for name, path in modules.items()}}


class Handler(http.server.BaseHTTPRequestHandler):
    """Gives out the files of a table."""

    files: dict[str, Path]

    def do_GET(self) -> None:
        """Send the file of an address."""
        path = self.files.get(self.path.partition("?")[0])
        if path is None:
            self.send_error(404)
            return
        content = path.read_bytes()
        self.send_response(200)
        kind = "text/javascript" if path.suffix in {".js", ".mjs"} else mimetypes.guess_type(path.name)[0]
        self.send_header("Content-Type", kind or "application/octet-stream")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing of single requests."""


def main() -> None:
    """Make the graphs, and serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=["cae-256", "cae-64"])
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one (default: 8000)")
    parser.add_argument("--package", type=Path, default=JS, help="the npm package edgevoice (default: that of the checkout)")
    parser.add_argument(
        "--runtime", type=Path, default=JS / "node_modules" / "onnxruntime-web", help="the npm package onnxruntime-web"
    )
    parser.add_argument("--head", type=Path, help="a head that `edgevoice fit` wrote, for decisions of the same model")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Handler.files = files(options.package, options.runtime)
        for model in options.models:
            graph = Path(folder, f"{model}.onnx")
            words = ["live", model, "-o", str(graph)]
            subprocess.run([sys.executable, "-m", "edgevoice_export.cli", *words], check=True, stdout=subprocess.DEVNULL)
            Handler.files[f"/graphs/{model}.onnx"] = graph
        Handler.files["/graphs.json"] = Path(folder, "graphs.json")
        if options.head:
            Handler.files["/head.onnx"] = options.head
        given = {"models": options.models, "head": options.head is not None}
        Handler.files["/graphs.json"].write_text(json.dumps(given), encoding="utf-8")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
        print(f"http://127.0.0.1:{server.server_port}/", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
