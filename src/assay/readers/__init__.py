"""The log formats that are read: one file each, found by `assay.readers.base.read_history`."""
