"""How well the analysis does on captures whose truth is known: recall, precision, what was left open."""
