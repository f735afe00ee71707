"""Distributed engines, one file each; the local engine, which needs nothing, is in `assay.engines.local`."""
