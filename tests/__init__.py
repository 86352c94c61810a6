"""The tests: pure ones, the app with a fake CLI, and the same promises with the real CLI."""
