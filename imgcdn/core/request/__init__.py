"""What a URL and its headers ask for."""
