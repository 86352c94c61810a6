"""The documentation: its links, its code and its names, held to the gateway."""
