"""Put the server together, by hand, in the order in which it starts."""
