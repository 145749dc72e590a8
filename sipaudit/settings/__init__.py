"""What the user declares: the site file and the settings of each line."""
