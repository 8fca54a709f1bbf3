"""What a running service can bear: hits a second, first requests, memory, slow clients."""
