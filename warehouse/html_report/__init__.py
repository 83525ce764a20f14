"""The report as one HTML page: the figures of a period, drawn without anything from outside."""

from warehouse.html_report.page import write_report

__all__ = ["write_report"]
