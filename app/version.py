"""The gateway's own version (semver.org); what is public is named in the README."""

VERSION = "1.0.0"
