"""User-written YAML read safely: a tree that knows its lines, and every fault of a file said at once."""
