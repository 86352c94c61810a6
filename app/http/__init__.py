"""What every face of the gateway needs of HTTP."""
