"""How many keys and milliseconds a decision on the review desk takes."""
