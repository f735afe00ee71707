"""The log formats that are read: one file each, found by `assay.reader.read_history`."""
