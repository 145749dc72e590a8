"""The behaviour of phones: a device, its lines, their registrations, moves and calls (reference-model.md 3)."""
