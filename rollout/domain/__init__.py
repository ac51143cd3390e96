"""Pure rules over totals. Nothing here opens a file or a connection, or asks what time it is."""
