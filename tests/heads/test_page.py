"""What the page about decisions shows runs, on artificial voices: commands, Python, a hub, a server."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
import soundfile

import edgevoice
from edgevoice.cli import main
from heads.conftest import write_corpus
from pages import commands_of, furnish, snippets_of

pytestmark = pytest.mark.timeout(600)


def test_all_of_it_runs_on_recordings(root: Path, speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("starlette", "uvicorn", "websockets", "prometheus_client", "matplotlib"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    for name, value in furnish(tmp_path, speech).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    labels = write_corpus(tmp_path, each=1, seconds=3).read_text().replace("speaker,voice", "speaker,sex")
    (tmp_path / "utterances.csv").write_text(labels)
    snippets = snippets_of((root / "docs" / "decisions.md").read_text(encoding="utf-8"))
    page = [one._replace(reason=None) for one in snippets if one.reason]
    for command in (command for one in page if one.language == "sh" for command in commands_of(one)):
        assert main(command.split()[1:]) == 0, command
    assert {"sex.onnx", "sex.png", "models.html", "levels.png"} <= {path.name for path in tmp_path.iterdir()}
    assert (tmp_path / "decisions.csv").read_text().startswith("file,start,end,label,probability_high,probability_low\nanna")
    names: dict[str, Any] = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for code in (one.code for one in page if one.language == "python"):
            exec(code, names)
    expected = names["head"].decide(edgevoice.load("cae-256").extract(speech))
    assert printed.getvalue().splitlines()[-1] == str([len(expected)] * 3)
    said = asyncio.run(_served(names["application"], speech))
    assert [one for one in said if one] == [one.to_dict() for one in expected]


async def _served(application: Any, speech: Path) -> list[Any]:
    """What a client is told of a recording."""
    import uvicorn
    from websockets.asyncio.client import connect

    samples, rate = soundfile.read(speech, dtype="int16")
    server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="error"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with connect(f"ws://127.0.0.1:{port}/stream", max_size=None) as socket:
        await socket.send(json.dumps({"type": "hello", "rate": rate}))
        await socket.send(samples.tobytes())
        await socket.send(json.dumps({"type": "finish"}))
        messages = [json.loads(message) async for message in socket]
    server.should_exit = True
    await serving
    return [message["decision"] for message in messages if message["type"] == "frame"]
