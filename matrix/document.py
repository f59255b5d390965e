"""An HTML file that loads nothing: all is in it, its style and script too.

Whatever is shown is to be escaped, and if that were forgotten somewhere, the file's policy lets no
other script run than its own.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from pathlib import Path

from .markup import SHAPES, symbol

_BASE = Path(__file__).parent / "base.css"


def document(title: str, body: str, style: Path, script: Path | None = None) -> str:
    """The text of the file.

    :param body: HTML, which may show the signs of ``matrix.markup``.
    :param style: comes after what all have in common, ``base.css``.
    """
    css = _BASE.read_text("utf-8") + style.read_text("utf-8")
    js = script.read_text("utf-8") if script is not None else ""
    policy = (
        f"default-src 'none'; style-src {_hash(css)}; script-src {_hash(js)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)} · django-db-geventpool</title>
<link rel="icon" href="data:,">
<style>{css}</style>
</head>
<body>
<svg class="hidden" aria-hidden="true">{"".join(symbol(status) for status in SHAPES)}</svg>
{body}
{f"<script>{js}</script>" if js else ""}
</body>
</html>
"""


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
