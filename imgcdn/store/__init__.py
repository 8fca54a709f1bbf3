"""What is kept on disk: source records and variants, one folder a source, published by rename."""
