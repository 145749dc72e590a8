"""What passes the tap, as bytes: frames, connections, media, and the capture they end in."""
