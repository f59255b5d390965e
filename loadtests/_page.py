from __future__ import annotations
def page(record): return ""
def index(records): return ""
