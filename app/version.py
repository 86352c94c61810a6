"""The gateway's own version (semver.org); the pages in docs/ say what is public."""

VERSION = "1.0.0"
