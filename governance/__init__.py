"""Who may do what, and what was done: people, roles, keys, sign-in, audit log."""
