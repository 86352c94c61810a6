"""The OpenAI face of the gateway: `/v1`, for every client that speaks it."""
