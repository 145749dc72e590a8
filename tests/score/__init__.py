"""Recall, precision and open checks of the analysis on captures whose truth is known."""
