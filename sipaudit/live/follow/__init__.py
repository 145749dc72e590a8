"""Reads a directory into which dumpcap or tcpdump rotates its files, while they are written."""
