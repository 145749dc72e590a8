"""How fast sipaudit is and how much memory it takes, beside its neighbours: `python -m bench`."""
