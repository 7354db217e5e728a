"""The site is built strictly, describes all public names, finds what is asked, and is right in Chromium."""

from __future__ import annotations

import functools
import importlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

import pytest

import edgevoice

pytest.importorskip("mkdocs", reason="the group docs is not installed")
pytest.importorskip("mkdocstrings", reason="the group docs is not installed")
ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
QUESTIONS = {
    "microphone": "api/microphone/",
    "fit labels speaker": "decisions/",
    "sklearn": "corpora/",
    "websocket server token": "server/",
    "cuda version": "gpu/",
    "resume dataset": "corpora/",
    "osc": "examples/live_osc_py/",
    "pyinstaller": "embedding/",
    "licence of the weights": "models/",
    "how long until I know": "faq/",
}


def build(site: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """As .ci/docs does."""
    (words,) = re.findall(r"bin/mkdocs\" (build .*) --site-dir", (ROOT / ".ci" / "docs").read_text(encoding="utf-8"))
    command = [sys.executable, "-m", "mkdocs", *words.split(), "--site-dir", str(site), *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    result = build(folder)
    assert result.returncode == 0, result.stderr
    return folder


class Page(HTMLParser):
    """The places of a page, and where its links lead."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name in ("id", "name") and value:
                self.ids.add(value)
            elif name == "href" and tag == "a" and value:
                self.links.add(value)
            elif (name == "src" or (name == "href" and tag == "link")) and value:
                self.loaded.add(value)


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    """By their address below the site's root."""
    paths = list(site.rglob("index.html"))
    return {path.parent.relative_to(site).as_posix().removeprefix(".").rstrip("/") + "/": Page(path) for path in paths}


def test_every_link_has_its_place(site: Path, pages: dict[str, Page]) -> None:
    dead = []
    for address, page in pages.items():
        assert not [url for url in page.loaded if url.startswith(("http:", "https:", "//"))], address
        for link in page.links | page.loaded:
            target = urlsplit(urljoin(f"http://site/{address.lstrip('/')}", link))
            if target.netloc == "site":
                path = target.path.strip("/") + "/"
                there = path in pages and (not target.fragment or unquote(target.fragment) in pages[path].ids)
                if not there and not (site / target.path.strip("/")).is_file():
                    dead.append(f"{address}: {link}")
    assert not dead


def test_a_dead_anchor_fails_the_build(tmp_path: Path) -> None:
    settings, docs = tmp_path / "mkdocs.yml", tmp_path / "docs"
    docs.mkdir()
    settings.write_text(f"INHERIT: {ROOT / 'mkdocs.yml'}\nnav: [index.md]\nplugins: []\nhooks: []\nextra_css: []\n")
    for anchor, code in (("there", 0), ("gone", 1)):
        (docs / "index.md").write_text(f"# Page\n\n[link](#{anchor})\n\n## There\n")
        result = build(tmp_path / "site", "--config-file", str(settings))
        assert result.returncode == code, result.stderr


def test_every_public_name_is_described(pages: dict[str, Page]) -> None:
    described = set().union(*(page.ids for address, page in pages.items() if address.startswith("api/")))
    names = {f"edgevoice.{'errors.' if name.endswith(('Error', 'Warning')) else ''}{name}" for name in edgevoice.__all__}
    for module in ("disvoice", "opensmile", "sklearn"):
        try:
            found: Any = importlib.import_module(f"edgevoice.compat.{module}")
        except edgevoice.MissingPackageError:
            continue
        own = {
            name for name, value in vars(found).items() if str(getattr(value, "__module__", "")).startswith(found.__name__)
        }
        names |= {
            f"{found.__name__}.{name}" for name in own if not name.startswith("_") and isinstance(vars(found)[name], type)
        }
    assert names - described == set()


@pytest.fixture(scope="module")
def origin(site: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not there: install Chromium, or name it with CHROMIUM")
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 375)])
def test_in_a_browser(browser: Any, site: Path, origin: str, pages: dict[str, Page], scheme: str, width: int) -> None:
    page, wrong = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme), []
    page.on("console", lambda message: wrong.append(f"{page.url}: {message.text}") if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    page.route("**/search_index.json", lambda route: route.fulfill(json={**index, "docs": []}))  # its pages load sooner
    for address in pages:
        page.goto(origin + address.lstrip("/"), wait_until="load")
        found = page.evaluate(
            "[document.documentElement.scrollWidth, document.body.dataset.mdColorScheme,"
            " [...document.images].filter(image => image.checkVisibility() && !image.naturalWidth).map(image => image.src)]"
        )
        if found != [width, "slate" if scheme == "dark" else "default", []]:
            wrong.append(f"{address}: {found}")
    page.close()
    assert not wrong


def test_the_search_finds_what_is_asked(browser: Any, origin: str) -> None:
    page, missed = browser.new_page(), {}
    for question, address in QUESTIONS.items():
        page.goto(f"{origin}?q={quote(question)}")
        page.wait_for_function("document.querySelector('.md-search-result__meta').textContent.includes('matching')")
        found = page.eval_on_selector_all(".md-search-result__link", "links => links.map(link => link.href)")
        places = list(dict.fromkeys(urlsplit(link).path.lstrip("/") for link in found))[:5]
        if address not in places:
            missed[question] = places
    page.close()
    assert not missed
