"""What the site shows of other folders: a page for each example, and the figures of the benchmarks."""

from __future__ import annotations

import ast
import base64
import itertools
import json
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
LANGUAGES = {".py": "python", ".sh": "sh", ".mjs": "js"}
EXAMPLES = sorted(path for path in (ROOT / "examples").rglob("*") if path.suffix in {".ipynb", *LANGUAGES})


def on_config(config: Any) -> Any:
    """Put the examples into the navigation."""
    (pages,) = (entry["Examples"] for entry in config.nav if "Examples" in entry)
    pages.extend({name_of(path): page_of(path)} for path in EXAMPLES)
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add pages and figures."""
    index = ["# Examples\n\nOne use a file; tests run them.\n"]
    for path in EXAMPLES:
        text = notebook_page(path, files, config) if path.suffix == ".ipynb" else program_page(path)
        files.append(File.generated(config, page_of(path), content=f"# {name_of(path)}\n\n{text}"))
        first = " ".join(text.partition("\n\n")[0].strip("# ").split())
        index.append(f"- [{name_of(path)}]({page_of(path).removeprefix('examples/')}): {first}")
    files.append(File.generated(config, "examples/index.md", content="\n".join(index)))
    for figure in [*(ROOT / "benchmarks" / "results").glob("*.png"), ROOT / "models" / "cae-256" / "example.png"]:
        files.append(File.generated(config, f"figures/{figure.name}", abs_src_path=str(figure)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links that are right in the repository, and names of examples, to pages of the site."""
    up = "../" * page.file.src_uri.count("/")
    for path in EXAMPLES:
        name = f"`examples/{name_of(path)}`"
        markdown = re.sub(rf"(?<!\[){re.escape(name)}(?!\])", f"[{name}]({up}{page_of(path)})", markdown)
    return re.sub(r"\]\(\.\./(?:benchmarks/results|models/cae-256)/", f"]({up}figures/", markdown)


def name_of(path: Path) -> str:
    """Its path below the folder of examples."""
    return path.relative_to(ROOT / "examples").as_posix()


def page_of(path: Path) -> str:
    """The source of its page."""
    return f"examples/{name_of(path).replace('.', '_')}.md"


def program_page(path: Path) -> str:
    """The first docstring, or the first comment, as text; the program below."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        text = ast.get_docstring(ast.parse(source)) or ""
        start = ast.parse(source).body[0].end_lineno or 0
    else:
        comment = list(itertools.takewhile(re.compile("#|//").match, source.splitlines()))
        lines = [re.sub(r"^(#|//) ?", "", line) for line in comment if not line.startswith("#!")]
        text, start = "\n".join(lines), len(comment)
    # A docstring of commands alone is not indented.
    text = re.sub(r"^(?=(?:pip install|python|edgevoice|serve run) )", "    ", text, flags=re.M)
    name = f"examples/{name_of(path)}"
    return f'{text}\n\n```{LANGUAGES[path.suffix]} title="{name}"\n--8<-- "{name}:{start + 1}:"\n```\n'


def notebook_page(path: Path, files: Any, config: Any) -> str:
    """Its cells, and what they show."""
    parts, pictures = [], 0
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        parts.append(source.removeprefix("# ") if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                pictures += 1
                name = f"figures/{path.stem}_{pictures}.png"
                files.append(File.generated(config, name, content=base64.b64decode(data["image/png"])))
                parts.append(f"![What the cell above draws](../{name}#invert)")
            elif "text/html" in data:
                plain = re.sub(
                    r"<style.*?</style>|</?div>|\s(class|border)=\"\w+\"", "", "".join(data["text/html"]), flags=re.S
                )
                parts.append(plain)
            else:
                parts.append(f"```text\n{''.join(output.get('text', data.get('text/plain', [])))}\n```")
    return "\n\n".join(parts)
