"""The direct backend: requests that go to the model's API without the CLI."""
