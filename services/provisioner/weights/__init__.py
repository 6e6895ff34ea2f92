"""The files of a model's repository that its worker reads, so that a machine can fetch them by itself."""
