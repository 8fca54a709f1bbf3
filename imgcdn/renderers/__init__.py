"""The pool of killable child processes that open, decode and encode originals."""
