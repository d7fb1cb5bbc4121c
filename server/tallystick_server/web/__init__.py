"""HTTP: requests in, answers out; everything it knows it asks the log for."""
