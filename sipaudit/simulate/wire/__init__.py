"""The bytes that pass the tap: frames, connections, media, and the capture that they are written to."""
