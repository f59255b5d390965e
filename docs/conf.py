"""Sphinx's settings for the site of these pages: ``tox -e docs`` makes it, in ``site/``.

The pages are the Markdown that a forge shows, so nothing of Sphinx's is in them: their links are
paths, and ``index.md`` is a list of links. The navigation is made from that list here. The root of
the repository is the source folder, so that links to README.md and its like lead on as well.
"""

from __future__ import annotations

import re
from typing import Any

from django_db_geventpool import __version__

project = "django-db-geventpool"
copyright = "the authors of django-db-geventpool, Apache-2.0"
version = release = __version__

extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/*.md"]
exclude_patterns = [".*", "site", "**/__pycache__"]  # not even looked through
nitpicky = True
highlight_language = "text"  # where a block names none

myst_heading_anchors = 4  # as a forge makes them
suppress_warnings = ["myst.header"]  # a page may begin with what a forge calls a smaller heading

html_theme = "furo"
html_title = f"{project} {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = [("calculator.js", {"defer": "defer"})]
templates_path = ["_templates"]
html_additional_pages = {"index": "to_docs.html"}
html_copy_source = html_show_sourcelink = False
html_use_index = False
html_show_search_summary = False  # it fetches pages, which a browser refuses for files

_SECTION = re.compile(r"^## (.+)\n((?:(?!## ).*\n?)*)", re.MULTILINE)
_ENTRY = re.compile(r"^\* \[(.+?)\]\((\S+)\.md\)", re.MULTILINE)


def navigation(page: str) -> str:
    """What Sphinx calls toctrees, one for each section of links in *page*."""
    parts = []
    for caption, text in _SECTION.findall(page):
        entries = "\n".join(f"{title} <{path}>" for title, path in _ENTRY.findall(text))
        parts.append(f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{entries}\n```\n")
    return "\n".join(parts)


def _add_navigation(app: Any, name: str, source: list[str]) -> None:
    if name == root_doc:
        source[0] += "\n" + navigation(source[0])
    elif "/" not in name:  # SECURITY.md, for example: other pages lead to it
        source[0] = "---\norphan: true\n---\n" + source[0]


def setup(app: Any) -> None:
    app.connect("source-read", _add_navigation)
