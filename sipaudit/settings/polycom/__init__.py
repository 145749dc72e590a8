"""Polycom provisioning: which files a phone reads, what each parameter in them is, and what of it holds for a line."""
