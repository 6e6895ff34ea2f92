"""An S3-compatible mirror of models' files: who writes it, and who reads it, agree here on what is where."""
