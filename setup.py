"""The compiled kernels, built where there is a compiler and left out, without error, where there is
none.

Everything else about the package is in pyproject.toml.
"""

import sys

from setuptools import Extension, setup

FLAGS = (
    []
    if sys.platform == "win32"
    else ["-O3", "-fopenmp-simd", "-fno-math-errno", "-fno-trapping-math"]
)

setup(
    ext_modules=[
        Extension(
            "assay._native.kernels",
            ["src/assay/_native/kernels.c"],
            extra_compile_args=FLAGS,
            py_limited_api=True,
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
