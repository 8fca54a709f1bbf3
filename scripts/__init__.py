"""Scripts for developers: samples, tables, mutation testing, release checks."""
