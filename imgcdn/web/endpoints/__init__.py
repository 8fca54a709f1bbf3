"""Endpoints: what the service answers besides images and pages. Each is a function here and a line in `web.router`."""
