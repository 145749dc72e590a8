"""report.html: the report as one page that opens from disk, loads nothing and runs nothing but its own scripts."""

from sipaudit.report.html.page import render

__all__ = ["render"]
