"""Rule files, and the findings made from the model's observations."""
