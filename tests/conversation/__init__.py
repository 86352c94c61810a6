"""What the chat APIs share: messages, answers, sessions, images."""
