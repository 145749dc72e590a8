"""Speed and memory of sipaudit, compared with its neighbours: `python -m bench`."""
