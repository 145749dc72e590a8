"""Safe reading of YAML written by users: a tree with line numbers, and all errors of a file reported at once."""
