"""Does anything slow down as decisions pile up? Fills the real tables, and times pages, gates and claims."""
