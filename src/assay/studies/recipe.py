"""recipe: the text of a study, checked key by key, and the objects that its import paths name.

>>> table = {"class": "sklearn.model_selection.KFold", "params": {"n_splits": 3}}
>>> build(Location("study.toml", "split"), table)
KFold(n_splits=3, random_state=None, shuffle=False)
"""

import importlib
import inspect
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from assay.core.arguments import check_share
from assay.core.registry import Registry
from assay.errors import AssayError, ReadError, SchemaError, UnsupportedError, suggest
from assay.fusions.base import FUSIONS
from assay.metrics.base import METRICS

__all__ = ["Location", "Recipe", "build", "import_object", "read_recipe"]

Spec = Mapping[str, tuple[type, ...]]

TOP: Spec = {
    "title": (str,), "seed": (int,), "output": (str,), "task": (str,), "positive": (str, int, bool),
    "metrics": (list,), "compare_by": (str,), "equivalence": (float, int), "correction": (str,),
    "ignore": (list,), "fusions": (list,), "on_error": (str,), "n_jobs": (int,),
    "data": (dict,), "split": (dict,), "inner": (dict,), "race": (dict,), "preprocess": (list,),
    "models": (dict,), "seeds": (int,), "validation_fraction": (float, int),
}  # fmt: skip
DATA: Spec = {
    "file": (str,), "target": (str, list), "features": (list,), "drop": (list,), "groups": (str,),
    "weight": (str,), "id": (str,), "frame": (bool,), "load": (str,), "params": (dict,),
}  # fmt: skip
SPLIT: Spec = {"folds": (int,), "class": (str,), "params": (dict,)}
INNER: Spec = {**SPLIT, "metric": (str,)}
RACE: Spec = {"minimum": (int,), "confidence": (float,)}
MODEL: Spec = {
    "class": (str,), "fit": (str,), "params": (dict,), "preprocess": (list,), "grid": (dict,),
}  # fmt: skip
OBJECT: Spec = {"class": (str,), "params": (dict,)}
CHOICES: Mapping[str, Sequence[str]] = {
    "task": ("binary", "multiclass", "multilabel", "regression", "multioutput"),
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


class Location(NamedTuple):
    """The place in a file that a message is about."""

    path: str
    key: str

    def child(self, key: str) -> "Location":
        """The place of `key` within this one."""
        return Location(self.path, f"{self.key}.{key}" if self.key else key)

    def refuse(self, message: str, kind: type[AssayError] = SchemaError) -> NoReturn:
        """Raise an error of that `kind`: the file and the key, then the `message`."""
        raise kind(f"{self.path}: {self.key}: {message}" if self.key else f"{self.path}: {message}")


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
    seeds: int = 1
    validation_fraction: float = 0.1

    @property
    def location(self) -> Location:
        """The file, for messages."""
        return Location(str(self.path), "")

    def estimators(self) -> dict[str, Any]:
        """The models, unfitted: an estimator or a pipeline each, with its grid where it has one, or
        a function that trains one.
        """
        return {
            name: (_import_factory if "fit" in table else self._estimator)(
                self.location.child(f"models.{name}"), table
            )
            for name, table in self.models.items()
        }

    def _estimator(self, location: Location, table: Mapping[str, Any]) -> Any:
        model = build(location, {key: table[key] for key in OBJECT if key in table})
        if not hasattr(model, "get_params"):
            location.child("class").refuse(
                f"{table['class']} is no scikit-learn estimator: it has no get_params"
            )
        alone = model.get_params()
        steps = list(table.get("preprocess", self.preprocess))
        if steps:
            model = _pipeline(location, steps, model)
        known = model.get_params()
        unset = [k for k, v in known.items() if _is_random_state(k) and v is None]
        model.set_params(**dict.fromkeys(unset, self.seed))
        if "grid" not in table:
            return model
        for key in table["grid"]:
            if key not in known and key not in alone:
                location.child("grid").refuse(
                    f"{table['class']} takes no {key!r}{_suggest(key, [*alone, *known])}"
                )
        grid = {
            f"model__{key}" if steps and key in alone else key: values
            for key, values in table["grid"].items()
        }
        return model, grid

    def outer_splitter(self) -> Any:
        """A number of folds or a scikit-learn splitter; by default 5 folds."""
        return self._splitter(self.location.child("split"), self.split, 5)

    def inner_splitter(self) -> Any:
        """As `outer_splitter`, of the inner folds, by default 3; None where the study has none."""
        if not self.inner:
            return None
        return self._splitter(self.location.child("inner"), self.inner, 3)

    def _splitter(self, location: Location, table: Mapping[str, Any], folds: int) -> Any:
        if "class" not in table:
            return table.get("folds", folds)
        if "folds" in table:
            location.refuse("give folds, or class with params, not both")
        name = table["class"]
        text = name if "." in name else f"sklearn.model_selection.{name}"
        params = dict(table.get("params", {}))
        accepted = _parameters(import_object(location.child("class"), text))
        if "random_state" in accepted and ("shuffle" not in accepted or params.get("shuffle")):
            params.setdefault("random_state", self.seed)
        splitter = build(location, {"class": text, "params": params})
        if not hasattr(splitter, "split"):
            location.child("class").refuse(f"{name} is no splitter: it has no split")
        return splitter


def _import_factory(location: Location, table: Mapping[str, Any]) -> Any:
    """The function that the `fit` of a model names, with its params."""
    text = table["fit"]
    function = import_object(location.child("fit"), text)
    if not inspect.isfunction(function):
        location.child("fit").refuse(
            f"{text} is no function; expected one such as def fit(train, val), which trains a "
            f"model and returns it"
        )
    params = {
        key: build(location.child(f"params.{key}"), value)
        for key, value in table.get("params", {}).items()
    }
    accepted = _parameters(function)
    for key in params:
        if accepted and key not in accepted:
            location.child("params").refuse(f"{text} takes no {key!r}{_suggest(key, accepted)}")
    return partial(function, **params) if params else function


def _is_random_state(parameter: str) -> bool:
    return parameter.rpartition("__")[2] == "random_state"


def read_recipe(path: str | Path, output: str | Path | None = None) -> Recipe:
    """The study in a TOML file.

    Parameters:
        path: The file.
        output: Folder for the results; default: what the file says, else a folder of its name.

    Raises:
        ReadError: The file cannot be read, or is no TOML.
        SchemaError: A key cannot be used; the message names it.
    """
    path = Path(path)
    try:
        study = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReadError(
            f"{path}: cannot be read ({error.strerror or error}); give the path of a study in TOML"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ReadError(f"{path}: is not TOML: {error}") from None
    location = Location(str(path), "")
    _check_keys(location, study, TOP, ("data", "models"))
    for key, spec in (("data", DATA), ("split", SPLIT), ("inner", INNER), ("race", RACE)):
        _check_keys(location.child(key), study.get(key, {}), spec)
    _check_names(location, study)
    _check_values(location, study)
    _check_models(location, study)
    folder = path.parent / study.pop("output") if "output" in study else path.with_suffix("")
    values: dict[str, Any] = {"title": path.stem, "seed": 0, "split": {}, "inner": {}} | study
    for key in ("metrics", "fusions", "ignore"):
        if key in study:
            values[key] = tuple(study[key])
    return Recipe(path=path, output=Path(output) if output is not None else folder, **values)


def _check_keys(location: Location, table: Any, spec: Spec, needed: Sequence[str] = ()) -> None:
    """Refuse keys that are unknown, of another type, or missing."""
    if not isinstance(table, dict):
        location.refuse(f"expected a table; got {table!r}")
    for key, value in table.items():
        if key not in spec:
            hint = _suggest(key, spec) or "."
            location.refuse(f"unknown key {key!r}{hint} Known: {', '.join(spec)}")
        if not any(type(value) is kind for kind in spec[key]):
            expected = " or ".join(NAMES[kind] for kind in spec[key])
            location.child(key).refuse(f"expected {expected}; got {value!r}")
    for key in needed:
        if not table.get(key):
            location.refuse(f"the key {key!r} is missing; add [{location.child(key).key}]")


def _check_names(location: Location, study: Mapping[str, Any]) -> None:
    """Refuse metrics and fusions that do not exist, before any model is fitted."""
    names: list[tuple[str, Registry[Any], Any]] = []
    names += [("metrics", METRICS, text) for text in study.get("metrics", [])]
    if "compare_by" in study:
        names.append(("compare_by", METRICS, study["compare_by"]))
    if "metric" in study.get("inner", {}):
        names.append(("inner.metric", METRICS, study["inner"]["metric"]))
    names += [("fusions", FUSIONS, text) for text in study.get("fusions", [])]
    for key, registry, text in names:
        if not isinstance(text, str):
            location.child(key).refuse(f"expected text, as in 'f1'; got {text!r}")
        try:
            registry.parse(text)
        except AssayError as error:
            location.child(key).refuse(str(error))


def _check_values(location: Location, study: Mapping[str, Any]) -> None:
    """Refuse choices that do not exist and numbers out of range."""
    for key, known in CHOICES.items():
        if study.get(key, known[0]) not in known:
            location.child(key).refuse(f"must be one of {', '.join(known)}; got {study[key]!r}")
    if not 0 < study.get("equivalence", 1.0) < float("inf"):
        location.child("equivalence").refuse(
            f"must be above 0, a difference that does not matter; got {study['equivalence']}"
        )
    if not 0 <= study.get("seed", 0) < 1 << 32:
        location.child("seed").refuse(
            f"must be a whole number from 0 to 4294967295; got {study['seed']}"
        )
    if not 1 <= study.get("seeds", 1) < 1 << 16:
        location.child("seeds").refuse(f"must be 1 or more; got {study['seeds']}")
    if study.get("seeds", 1) > 1 and "race" in study:
        location.child("seeds").refuse(
            "a race drops models fold by fold with one seed; leave out race, or seeds"
        )
    if not 0 <= study.get("validation_fraction", 0.1) < 1:
        location.child("validation_fraction").refuse(
            f"must be from 0 to below 1; got {study['validation_fraction']}"
        )
    if not 0 < abs(study.get("n_jobs", -1)) < 1 << 16:
        location.child("n_jobs").refuse(
            f"must be a number of fits at a time, or -1 for all cores; got {study['n_jobs']}"
        )
    try:
        check_share("confidence", study.get("race", {}).get("confidence", 0.95))
    except UnsupportedError as error:
        location.child("race").refuse(str(error))
    for key in ("split", "inner"):
        folds = study.get(key, {}).get("folds", 2)
        if folds < 2:
            location.child(f"{key}.folds").refuse(
                f"the rows cannot be split into {folds} folds; give 2 or more"
            )


def _check_models(location: Location, study: Mapping[str, Any]) -> None:
    for name, model in study["models"].items():
        place = location.child(f"models.{name}")
        needed = () if isinstance(model, dict) and "fit" in model else ("class",)
        _check_keys(place, model, MODEL, needed)
        if "fit" in model:
            for key in ("class", "preprocess", "grid"):
                if key in model:
                    place.child(key).refuse(
                        "a model that is trained by a function (fit) has none; leave it out"
                    )
        if "grid" in model and "inner" not in study:
            location.child(f"models.{name}.grid").refuse(
                "a grid needs folds to choose on; add [inner] with folds = 3"
            )
        for key, values in model.get("grid", {}).items():
            if not isinstance(values, list) or not values:
                location.child(f"models.{name}.grid.{key}").refuse(
                    f"expected a list of values to try; got {values!r}"
                )


def build(location: Location, table: Any) -> Any:
    """The object of a `table` {class, params}; tables in its params that have a `class` as well.

    Lists are built item by item; anything else is given back. `location` is its place in the file.
    """
    if isinstance(table, list):
        return [build(location, item) for item in table]
    if not isinstance(table, dict):
        return table
    if "class" not in table:
        return {key: build(location.child(key), value) for key, value in table.items()}
    _check_keys(location, table, OBJECT)
    name = table["class"]
    cls = import_object(location.child("class"), name)
    params = {
        key: build(location.child(key), value) for key, value in table.get("params", {}).items()
    }
    accepted = _parameters(cls)
    for key in params:
        if accepted and key not in accepted:
            location.child("params").refuse(f"{name} takes no {key!r}{_suggest(key, accepted)}")
    try:
        return cls(**params)
    except Exception as error:
        location.refuse(f"{name} cannot be made: {type(error).__name__}: {error}")


def import_object(location: Location, text: str) -> Any:
    """The object that an import path names, "package.module:name" or "package.module.name".

    Parameters:
        location: The place of the path in the study's file; modules beside that file come first.
        text: The import path.
    """
    module, _, name = text.partition(":") if ":" in text else text.rpartition(".")
    if not module or not name:
        location.refuse(f"{text!r} is no import path; expected package.module:name")
    try:
        with _import_path(location, module):
            value: Any = importlib.import_module(module)
    except ImportError as error:
        location.refuse(
            f"{module!r} cannot be imported ({error}); install it, or put it beside the study",
            ReadError,
        )
    for part in name.split("."):
        if not hasattr(value, part):
            location.refuse(f"{module} has no {part!r}{_suggest(part, dir(value))}", ReadError)
        value = getattr(value, part)
    return value


@contextmanager
def _import_path(location: Location, module: str) -> Iterator[None]:
    """Import from the study's folder first."""
    folder = Path(location.path).absolute().parent
    root = module.partition(".")[0]
    beside = folder / f"{root}.py"
    known = getattr(sys.modules.get(root), "__file__", None)
    if known and beside.exists() and Path(known).absolute() != beside:
        location.refuse(
            f"another module {root!r} is imported already, from {known}; rename the study's"
        )
    sys.path.insert(0, str(folder))
    try:
        importlib.invalidate_caches()
        yield
    finally:
        sys.path.remove(str(folder))


def _pipeline(location: Location, steps: Sequence[Any], model: Any) -> Any:
    from sklearn.pipeline import Pipeline

    named: list[tuple[str, Any]] = []
    for i, step in enumerate(steps):
        table = {"class": step} if isinstance(step, str) else step
        _check_keys(location.child(f"preprocess[{i}]"), table, OBJECT, ("class",))
        transformer = build(location.child(f"preprocess[{i}]"), table)
        name = type(transformer).__name__.lower()
        named.append((f"{name}{i}" if name in dict(named) else name, transformer))
    return Pipeline([*named, ("model", model)])


def _parameters(cls: Any) -> list[str]:
    """Names that `cls` takes; none where it takes any, or does not say."""
    try:
        parameters = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        return []
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return []
    return [p.name for p in parameters]


def _suggest(word: str, known: Any) -> str:
    """A question after the known words that are most like `word`, or ""."""
    similar = suggest(word, (k for k in known if not k.startswith("_")), 3)
    return f"; did you mean {' or '.join(similar)}?" if similar else ""
