"""report.html: the report as one page that opens from disk, asks for nothing and runs nothing but its own script."""

from sipaudit.report.html.page import render

__all__ = ["render"]
