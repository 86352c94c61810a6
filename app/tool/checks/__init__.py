"""What `claudecode2api doctor` looks at, one part of the gateway a file."""
