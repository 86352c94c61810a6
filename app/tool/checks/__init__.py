"""The checks of `claudecode2api doctor`, one part of the gateway a file."""
