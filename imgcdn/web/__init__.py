"""The edge of the service: HTTP requests in, HTTP responses out."""
