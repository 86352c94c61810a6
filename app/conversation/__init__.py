"""What the chat APIs share, whichever dialect a client speaks."""
