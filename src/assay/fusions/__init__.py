"""The fusion shelf: one frozen dataclass a fusion, one file each. Siblings never import each other."""
