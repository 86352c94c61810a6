"""The tests, in the rooms of app/: pure ones, and those of a gateway with the fake or real CLI."""
