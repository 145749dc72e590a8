"""The lab: real registrars, real SIP stacks of phones and a real network, run in namespaces (docs/lab.md)."""
