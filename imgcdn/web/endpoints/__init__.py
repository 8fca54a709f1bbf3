"""What the service answers beside images and pages: one module a subject, one line in `web.router` an endpoint."""
