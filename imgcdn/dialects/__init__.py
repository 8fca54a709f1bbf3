"""URL grammars. Each is a pure function: raw target -> what is asked for."""
