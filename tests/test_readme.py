"""What the README says is so."""

import re
from pathlib import Path

from bento.settings import markdown_table

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
START, END = "<!-- settings: python -m bento.settings -->\n", "\n<!-- end of settings -->"


def test_the_table_of_settings_is_fresh() -> None:
    table = README.partition(START)[2].partition(END)[0]
    assert table == markdown_table(), "put the output of `.venv/bin/python -m bento.settings` there"


def test_what_it_links_to_is_there() -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_it_leads_to_every_document() -> None:
    assert [path.name for path in (ROOT / "docs").glob("*.md") if f"](docs/{path.name})" not in README] == []


def test_the_layout_names_every_folder() -> None:
    named = set(re.findall(r"^\| `([a-z0-9]+)/` \|", README, re.MULTILINE))
    holds_code = {path.parts[0] for path in (path.relative_to(ROOT) for path in ROOT.glob("[a-z]*/*"))}
    assert holds_code - {"artifacts", "htmlcov"} == named
