"""What watches each kind of client; none imports the package whose client it is given."""
