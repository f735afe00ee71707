"""What a predictions table is made of: columns of any kind in, checked and typed arrays out."""
