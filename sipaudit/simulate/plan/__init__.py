"""The plan: what is to be simulated, as a user writes it."""
