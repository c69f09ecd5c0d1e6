"""What there is to test, one table for each kind of thing; a test compares each with what the package has."""
