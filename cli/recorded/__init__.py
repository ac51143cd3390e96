"""What people recorded elsewhere, in the forms in which other tools write it, as the lines that the API takes."""
