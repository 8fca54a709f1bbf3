"""What is kept on disk: records, copies of originals and variants, one folder a source, published by rename."""
