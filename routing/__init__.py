"""Who answers one case, and what came of it."""
