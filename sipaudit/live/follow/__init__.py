"""A directory into which dumpcap or tcpdump rotates its files, read while they are written."""
