"""What open pages cost the web process."""
