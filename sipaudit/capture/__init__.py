"""From capture files to datagrams: readers, engines, link layers, reassembly and the health of a capture."""
