"""The oldest versions that pyproject.toml promises, as constraints for pip.

`numpy>=1.26` becomes `numpy==1.26`.
"""

import re
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
promised = [*project["dependencies"], *project["optional-dependencies"]["sklearn"]]
for requirement in promised:
    name, version = re.fullmatch(r"([\w-]+)>=([\d.]+)", requirement).groups()
    print(f"{name}=={version}")  # noqa: T201
