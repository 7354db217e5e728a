"""A server behind nginx with TLS, as examples/server/nginx.conf has it; run as a program it prints the page's address."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@contextlib.contextmanager
def nginx(folder: Path, server: int) -> Iterator[int]:
    """Run nginx before a server on a port; its own port."""
    port, key, certificate = free_port(), folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, capture_output=True, check=True)
    site = (ROOT / "examples" / "server" / "nginx.conf").read_text(encoding="utf-8")
    site = site.replace("listen 443", f"listen 127.0.0.1:{port}").replace("127.0.0.1:8000", f"127.0.0.1:{server}")
    site = re.sub(r"(ssl_certificate +).*;", rf"\1{certificate};", site)
    site = re.sub(r"(ssl_certificate_key +).*;", rf"\1{key};", site)
    places = "".join(f"{name}_temp_path {folder / name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    main = f"daemon off; master_process off; pid {folder}/pid; error_log stderr; events {{}}"
    (folder / "nginx.conf").write_text(f"{main} http {{ access_log off; {places} {site} }}")
    process = subprocess.Popen([_found(), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"])
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _found() -> str:
    return shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin") or ""


def missing() -> str | None:
    """Why it cannot be run."""
    return None if _found() and shutil.which("openssl") else "nginx or openssl is not installed"


def main() -> None:
    """Serve until Ctrl-C; what comes after `--model` is the model."""
    model, port = sys.argv[sys.argv.index("--model") + 1], free_port()
    with tempfile.TemporaryDirectory() as name:
        token = Path(name, "token")
        token.write_text("secret")
        environment = {**os.environ, "EDGEVOICE_MODEL": model, "EDGEVOICE_TOKEN_FILE": str(token)}
        command = [sys.executable, "-m", "uvicorn", "edgevoice.asgi:app", "--port", str(port), "--log-level", "warning"]
        server = subprocess.Popen(command, env=environment)
        try:
            with nginx(Path(name), port) as proxy:
                while server.poll() is None:
                    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                        break
                    time.sleep(0.05)
                print(f"https://localhost:{proxy}/#secret", flush=True)
                server.wait()
        finally:
            server.terminate()
            server.wait(20)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
