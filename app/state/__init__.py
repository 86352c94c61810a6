"""How files below STATE_DIR are opened, read, locked and removed."""
