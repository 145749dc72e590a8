"""Rule files, and findings from what the model observed."""
