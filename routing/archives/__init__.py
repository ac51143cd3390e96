"""Old decisions leave the database for files that are proven to hold them; what was counted of them stays."""
