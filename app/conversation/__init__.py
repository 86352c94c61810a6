"""The parts that all chat APIs share, without the wire format of any."""
