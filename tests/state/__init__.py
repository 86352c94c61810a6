"""The files below STATE_DIR."""
