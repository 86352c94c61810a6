"""The raw face of the gateway, one blueprint a file."""
