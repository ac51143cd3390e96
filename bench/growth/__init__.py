"""Does anything slow down as decisions pile up? Fills the real tables on a server, and times pages, gates and claims."""
