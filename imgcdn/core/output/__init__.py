"""What will be made: geometry, formats, plans and their keys."""
