"""What the user declares: the site file, provisioning files, and the settings of each line that result from them."""
