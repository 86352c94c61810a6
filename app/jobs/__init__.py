"""Jobs: what clients have asked the CLI to do, each in a folder that all workers read."""
