"""recipe: the text of a study, checked key by key, and the objects its import paths name.

>>> build(Where("study.toml", "split"), {"class": "sklearn.model_selection.KFold", "params": {"n_splits": 3}})
KFold(n_splits=3, random_state=None, shuffle=False)
"""

import importlib
import inspect
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from assay.core.registry import Registry
from assay.errors import AssayError, ReadError, SchemaError, alike
from assay.fusions.base import FUSIONS
from assay.metrics.base import METRICS

__all__ = ["Recipe", "Where", "build", "imported", "read_recipe"]

Spec = Mapping[str, tuple[type, ...]]

TOP: Spec = {
    "title": (str,), "seed": (int,), "output": (str,), "task": (str,), "positive": (str, int, bool),
    "metrics": (list,), "compare_by": (str,), "equivalence": (float, int), "correction": (str,), "ignore": (list,),
    "fusions": (list,), "on_error": (str,), "n_jobs": (int,),
    "data": (dict,), "split": (dict,), "inner": (dict,), "race": (dict,), "preprocess": (list,), "models": (dict,),
}  # fmt: skip
DATA: Spec = {
    "file": (str,), "target": (str,), "features": (list,), "drop": (list,), "groups": (str,), "weight": (str,),
    "id": (str,), "frame": (bool,), "load": (str,), "params": (dict,),
}  # fmt: skip
SPLIT: Spec = {"folds": (int,), "class": (str,), "params": (dict,)}
INNER: Spec = {**SPLIT, "metric": (str,)}
RACE: Spec = {"minimum": (int,), "confidence": (float,)}
MODEL: Spec = {"class": (str,), "params": (dict,), "preprocess": (list,), "grid": (dict,)}
OBJECT: Spec = {"class": (str,), "params": (dict,)}
CHOICES: Mapping[str, Sequence[str]] = {
    "task": ("binary", "multiclass", "multilabel", "regression"),
    "on_error": ("skip", "raise"),
    "correction": ("holm", "benjamini_hochberg"),
}
NAMES = {
    str: "text",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
    float: "a number",
}


class Where(NamedTuple):
    """The place in a file that a message is about."""

    path: str
    key: str

    def at(self, key: str) -> "Where":
        """A place within."""
        return Where(self.path, f"{self.key}.{key}" if self.key else key)

    def refuse(self, said: str, kind: type[AssayError] = SchemaError) -> NoReturn:
        """Raise an error that begins with the file and the key."""
        raise kind(f"{self.path}: {self.key}: {said}" if self.key else f"{self.path}: {said}")


@dataclass(frozen=True)
class Recipe:
    """A study's file, checked: what to run on what, and where the results go."""

    path: Path
    title: str
    seed: int
    output: Path
    data: Mapping[str, Any]
    split: Mapping[str, Any]
    inner: Mapping[str, Any]
    models: Mapping[str, Mapping[str, Any]]
    race: Mapping[str, Any] | None = None
    preprocess: Sequence[Any] = ()
    task: Any = None
    positive: Any = None
    metrics: tuple[str, ...] | None = None
    compare_by: str | None = None
    equivalence: float | None = None
    correction: Any = "holm"
    ignore: tuple[str, ...] = ()
    fusions: tuple[str, ...] = ()
    on_error: Any = "skip"
    n_jobs: int = -1

    @property
    def where(self) -> Where:
        """The file, for messages."""
        return Where(str(self.path), "")

    def estimators(self) -> dict[str, Any]:
        """The models, unfitted: an estimator or a pipeline each, beside its grid where it has one."""
        return {
            name: self._estimator(self.where.at(f"models.{name}"), told)
            for name, told in self.models.items()
        }

    def _estimator(self, where: Where, told: Mapping[str, Any]) -> Any:
        model = build(where, {key: told[key] for key in OBJECT if key in told})
        if not hasattr(model, "get_params"):
            where.at("class").refuse(
                f"{told['class']} is no scikit-learn estimator: it has no get_params"
            )
        own, steps = model.get_params(), list(told.get("preprocess", self.preprocess))
        if steps:
            model = _pipeline(where, steps, model)
        unset = [
            k
            for k, v in model.get_params().items()
            if k.rpartition("__")[2] == "random_state" and v is None
        ]
        model.set_params(**dict.fromkeys(unset, self.seed))
        if "grid" not in told:
            return model
        known = model.get_params()
        for key in told["grid"]:
            if key not in known and key not in own:
                where.at("grid").refuse(
                    f"{told['class']} takes no {key!r}{_close(key, [*own, *known])}"
                )
        return model, {
            f"model__{k}" if steps and k in own else k: v for k, v in told["grid"].items()
        }

    def splitter(self, within: bool = False) -> Any:
        """The outer splitter or the inner one: a number of folds, or a scikit-learn splitter; None where not asked."""
        told, where = (
            (self.inner, self.where.at("inner")) if within else (self.split, self.where.at("split"))
        )
        if "class" not in told:
            return told.get("folds", None if within and not told else 3 if within else 5)
        if "folds" in told:
            where.refuse("give folds, or class with params, not both")
        text = told["class"] if "." in told["class"] else f"sklearn.model_selection.{told['class']}"
        params = dict(told.get("params", {}))
        accepted = _parameters(imported(where.at("class"), text))
        if "random_state" in accepted and ("shuffle" not in accepted or params.get("shuffle")):
            params.setdefault("random_state", self.seed)
        made = build(where, {"class": text, "params": params})
        if not hasattr(made, "split"):
            where.at("class").refuse(f"{told['class']} is no splitter: it has no split")
        return made


def read_recipe(path: str | Path, output: str | Path | None = None) -> Recipe:
    """The study in a TOML file. ReadError where it is no TOML, SchemaError naming the key that cannot be used."""
    path = Path(path)
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReadError(
            f"{path}: cannot be read ({error.strerror or error}); give the path of a study in TOML"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ReadError(f"{path}: is not TOML: {error}") from None
    where = Where(str(path), "")
    _checked(where, told, TOP, ("data", "models"))
    for key, spec in (("data", DATA), ("split", SPLIT), ("inner", INNER), ("race", RACE)):
        _checked(where.at(key), told.get(key, {}), spec)
    _check_names(where, told)
    _check_models(where, told)
    folder = path.parent / told.pop("output") if "output" in told else path.with_suffix("")
    rest: dict[str, Any] = {"title": path.stem, "seed": 0, "split": {}, "inner": {}} | told
    rest |= {key: tuple(told[key]) for key in ("metrics", "fusions", "ignore") if key in told}
    return Recipe(path=path, output=Path(output) if output is not None else folder, **rest)


def _checked(where: Where, given: Any, spec: Spec, needed: Sequence[str] = ()) -> None:
    """Refuse keys that are unknown, of another type, or missing."""
    if not isinstance(given, dict):
        where.refuse(f"expected a table; got {given!r}")
    for key, value in given.items():
        if key not in spec:
            where.refuse(f"unknown key {key!r}{_close(key, spec) or '.'} Known: {', '.join(spec)}")
        if not any(type(value) is kind for kind in spec[key]):
            expected = " or ".join(NAMES[kind] for kind in spec[key])
            where.at(key).refuse(f"expected {expected}; got {value!r}")
    for key in needed:
        if not given.get(key):
            where.refuse(f"the key {key!r} is missing; add [{where.at(key).key}]")


def _check_names(where: Where, told: Mapping[str, Any]) -> None:
    """Metrics, fusions and choices, before any model is fitted."""
    asked: list[tuple[str, Registry[Any], Any]] = [
        ("metrics", METRICS, m) for m in told.get("metrics", [])
    ]
    asked += [("compare_by", METRICS, told["compare_by"])] if "compare_by" in told else []
    asked += (
        [("inner.metric", METRICS, told["inner"]["metric"])]
        if "metric" in told.get("inner", {})
        else []
    )
    asked += [("fusions", FUSIONS, f) for f in told.get("fusions", [])]
    for key, registry, text in asked:
        if not isinstance(text, str):
            where.at(key).refuse(f"expected text, as in 'f1'; got {text!r}")
        try:
            registry.parse(text)
        except AssayError as error:
            where.at(key).refuse(str(error))
    for key, known in CHOICES.items():
        if told.get(key, known[0]) not in known:
            where.at(key).refuse(f"must be one of {', '.join(known)}; got {told[key]!r}")
    if not 0 < told.get("equivalence", 1.0) < float("inf"):
        where.at("equivalence").refuse(
            f"must be above 0, a difference that does not matter; got {told['equivalence']}"
        )
    if not 0 <= told.get("seed", 0) < 1 << 32:
        where.at("seed").refuse(f"must be a whole number from 0 to 4294967295; got {told['seed']}")
    if not 0 < abs(told.get("n_jobs", -1)) < 1 << 16:
        where.at("n_jobs").refuse(
            f"must be a number of fits at a time, or -1 for all cores; got {told['n_jobs']}"
        )
    for key in ("split", "inner"):
        if told.get(key, {}).get("folds", 2) < 2:
            folds = told[key]["folds"]
            where.at(f"{key}.folds").refuse(
                f"the rows cannot be split into {folds} folds; give 2 or more"
            )


def _check_models(where: Where, told: Mapping[str, Any]) -> None:
    for name, model in told["models"].items():
        _checked(where.at(f"models.{name}"), model, MODEL, ("class",))
        if "grid" in model and "inner" not in told:
            where.at(f"models.{name}.grid").refuse(
                "a grid needs folds to choose on; add [inner] with folds = 3"
            )
        for key, values in model.get("grid", {}).items():
            if not isinstance(values, list) or not values:
                where.at(f"models.{name}.grid.{key}").refuse(
                    f"expected a list of values to try; got {values!r}"
                )


def build(where: Where, told: Any) -> Any:
    """The object of a table {class, params}; tables in its params that have a `class` are built as well."""
    if isinstance(told, list):
        return [build(where, one) for one in told]
    if not isinstance(told, dict):
        return told
    if "class" not in told:
        return {key: build(where.at(key), value) for key, value in told.items()}
    _checked(where, told, OBJECT)
    cls = imported(where.at("class"), told["class"])
    params = {key: build(where.at(key), value) for key, value in told.get("params", {}).items()}
    accepted = _parameters(cls)
    for key in params:
        if accepted and key not in accepted:
            where.at("params").refuse(f"{told['class']} takes no {key!r}{_close(key, accepted)}")
    try:
        return cls(**params)
    except Exception as error:
        where.refuse(f"{told['class']} cannot be made: {type(error).__name__}: {error}")


def imported(where: Where, text: str) -> Any:
    """What an import path names, "package.module:name" or "package.module.name"; files beside the study come first."""
    module, _, name = text.partition(":") if ":" in text else text.rpartition(".")
    if not module or not name:
        where.refuse(f"{text!r} is no import path; expected package.module:name")
    try:
        with _beside(where, module):
            found: Any = importlib.import_module(module)
    except ImportError as error:
        where.refuse(
            f"{module!r} cannot be imported ({error}); install it, or put it beside the study",
            ReadError,
        )
    for part in name.split("."):
        if not hasattr(found, part):
            where.refuse(f"{module} has no {part!r}{_close(part, dir(found))}", ReadError)
        found = getattr(found, part)
    return found


@contextmanager
def _beside(where: Where, module: str) -> Iterator[None]:
    """Import from the study's folder first."""
    folder, root = Path(where.path).absolute().parent, module.partition(".")[0]
    known = getattr(sys.modules.get(root), "__file__", None)
    if (
        known
        and (folder / f"{root}.py").exists()
        and Path(known).absolute() != folder / f"{root}.py"
    ):
        where.refuse(
            f"another module {root!r} is imported already, from {known}; rename the study's"
        )
    sys.path.insert(0, str(folder))
    try:
        importlib.invalidate_caches()
        yield
    finally:
        sys.path.remove(str(folder))


def _pipeline(where: Where, steps: Sequence[Any], model: Any) -> Any:
    from sklearn.pipeline import Pipeline

    built: list[tuple[str, Any]] = []
    for i, step in enumerate(steps):
        told = {"class": step} if isinstance(step, str) else step
        _checked(where.at(f"preprocess[{i}]"), told, OBJECT, ("class",))
        made = build(where.at(f"preprocess[{i}]"), told)
        name = type(made).__name__.lower()
        built.append((f"{name}{i}" if name in dict(built) else name, made))
    return Pipeline([*built, ("model", model)])


def _parameters(cls: Any) -> list[str]:
    """Names that `cls` takes; none where it takes any, or does not say."""
    try:
        found = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        return []
    return [] if any(p.kind is p.VAR_KEYWORD for p in found) else [p.name for p in found]


def _close(word: str, known: Any) -> str:
    found = alike(word, (k for k in known if not k.startswith("_")), 3)
    return f"; did you mean {' or '.join(found)}?" if found else ""
