"""The lab: real registrars, real phones' stacks and a real network, played in namespaces (docs/lab.md)."""
