"""The launcher's process, which decides what runs when, and its client."""
