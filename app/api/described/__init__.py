"""How the document describes the raw face."""
