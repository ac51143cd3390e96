"""What the numbers allow us to say: comparisons, bounds and alarms, free of I/O, clock and chance."""
