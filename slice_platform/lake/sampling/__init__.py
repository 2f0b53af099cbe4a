"""From sample files to the two files of a dataset; what the rows do not prove is marked as a guess."""
