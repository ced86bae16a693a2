"""The rows of the table of goals, by what has to run for them."""
