"""How much autonomy a version has earned: plans, gates, guardrails, and the verdict on the next step."""
