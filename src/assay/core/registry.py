"""One mechanism for every open family (metrics, fusions, readers, adapters, engines): class -> name -> instance.

A member is a frozen dataclass with a `name`; defining it registers it. Third parties add theirs by subclassing, by an
entry point in the group `assay.<family>`, or on the command line by `assay --plugin FILE.py`.

>>> from assay.metrics.base import METRICS
>>> METRICS.parse("f_beta(beta=2)")
FBeta(average='auto', beta=2.0)
>>> str(METRICS.parse("f_beta(average=micro, beta=2)"))
'f_beta(beta=2, average=micro)'
"""

import ast
import importlib
import pkgutil
import re
import typing
from collections.abc import Sequence
from dataclasses import MISSING, Field, fields
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, TypeVar

from assay.core.lazy import once
from assay.errors import NameLookupError, alike

__all__ = ["Member", "Registry"]

MOST_MADE = 4096  # members that are kept for the next time their text is read

T = TypeVar("T", bound="Member")


class Member:
    """A named, parametrised member of a family. Its text names only the parameters that differ from the default."""

    name: ClassVar[str] = ""
    registry: "ClassVar[Registry[Any]]"

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__dict__.get("name"):
            cls.registry.add(cls)

    def __str__(self) -> str:
        return self._text

    @once
    def _text(self) -> str:
        given = [
            f"{f.name}={_spell(getattr(self, f.name))}"
            for f in parameters(type(self))
            if f.default is MISSING or getattr(self, f.name) != f.default
        ]
        return f"{self.name}({', '.join(given)})" if given else self.name


class Registry(Generic[T]):
    """The members of one family, found in the modules of its package, among user subclasses, and by entry points."""

    def __init__(self, family: str) -> None:
        self.family = family
        self._classes: dict[str, type[T]] = {}
        self._made: dict[str, T] = {}  # by the text that names them; members are frozen
        self._rest: list[str] | None = (
            None  # modules not yet imported; None before the first, [] when all is
        )
        self._complete = False  # whether entry points were read, too

    def add(self, member: type[T] | T) -> None:
        """Register `member` (or the class of one) under its name; a later class of a name replaces the earlier one."""
        self._classes[member.name] = member if isinstance(member, type) else type(member)

    def load(self, until: str | None = None) -> None:
        """Import the modules of the family's package, then its entry points, until there is a member of that name.

        Each costs start-up time, and most calls name members of one or two modules.
        """
        if self._rest is None and until not in self._classes:
            package = importlib.import_module(f"assay.{self.family}")
            self._rest = [
                f"{package.__name__}.{module.name}"
                for module in pkgutil.iter_modules(package.__path__)
            ]
        while self._rest and until not in self._classes:
            importlib.import_module(self._rest.pop(_naming(until, self._rest)))
        if self._rest == [] and not self._complete and until not in self._classes:
            self._complete = True
            # Reading what is installed takes a quarter of the start-up.
            from importlib.metadata import entry_points

            for point in entry_points(group=f"assay.{self.family}"):
                self.add(point.load())

    def names(self) -> list[str]:
        """Names of all members, sorted."""
        self.load()
        return sorted(self._classes)

    def __getitem__(self, name: str) -> type[T]:
        self.load(name)
        if name not in self._classes:
            close = self._known_as(name) or alike(name, self._classes, 3)
            hint = (
                f"Did you mean {' or '.join(close)}?"
                if close
                else f"Run 'assay list {self.family}' for all of them."
            )
            raise NameLookupError(f"no {self.family.rstrip('s')} is named {name!r}. {hint}")
        return self._classes[name]

    def _known_as(self, name: str) -> list[str]:
        """The members that others know by this name: as in f1_score, as the oracle has it, or as "Also called" says."""
        begun = sorted((known for known in self._classes if name.startswith(f"{known}_")), key=len)[
            -1:
        ]
        return (
            begun
            or [known for known, cls in self._classes.items() if _plain(name) in _other_names(cls)][
                :3
            ]
        )

    def parse(self, text: str | T) -> T:
        """The member that `text` names, as in "f_beta(beta=2)"; an instance is returned as it is."""
        if not isinstance(text, str):
            return text
        known = self._made.get(text)
        if known is not None and self._classes.get(known.name) is type(known):
            return known
        found = re.fullmatch(r"\s*([A-Za-z_]\w*)\s*(?:\((.*)\))?\s*", text, flags=re.DOTALL)
        if not found:
            raise NameLookupError(
                f"cannot read {text!r}; expected a name with parameters in brackets, as in f_beta(beta=2)"
            )
        name, inside = found.groups()
        cls = self[name]
        if len(self._made) >= MOST_MADE:
            self._made.clear()
        made = self._made[text] = cls(**_arguments(cls, text, inside)) if inside else cls()
        return made


def _other_names(cls: Any) -> set[str]:
    """What a member is also called, by its docstring, and the functions that its oracle calls."""
    text = " ".join((cls.__doc__ or "").split())
    told = [
        name
        for said in re.findall(r"Also called ([^.]+)\.", text)
        for name in re.split(r",| or |;|:|[()]", said)
    ]
    return {_plain(name) for name in (*told, *re.findall(r"\.(\w+)\(", getattr(cls, "oracle", "")))}


def _plain(name: str) -> str:
    """Letters and digits alone, in lower case: PR AUC, pr_auc and PR-AUC are one name."""
    return "".join(c for c in name.lower() if c.isalnum())


def _naming(name: str | None, modules: Sequence[str]) -> int:
    """Which of the modules has a member of that name, going by its text; 0 where none has."""
    said = f'name = "{name}"'
    return next((i for i, module in enumerate(modules) if said in _text(module)), 0)


@cache
def _text(module: str) -> str:
    """The text of a module that has not been imported; "" where it has none to read."""
    found = find_spec(module)
    place = Path(found.origin) if found and found.origin and found.origin.endswith(".py") else None
    return place.read_text(encoding="utf-8") if place and place.is_file() else ""


def parameters(cls: Any) -> "list[Field[Any]]":
    """The parameters of a member: its own first, then those that it shares with its family."""
    return sorted(fields(cls), key=lambda f: bool(f.kw_only))


def _arguments(cls: type[Member], text: str, inside: str) -> dict[str, Any]:
    accepted = [f.name for f in parameters(cls)]
    given: dict[str, Any] = {}
    for part in filter(None, (p.strip() for p in re.split(r",(?![^\[(]*[\])])", inside))):
        key, equals, value = (p.strip() for p in part.partition("="))
        if not equals or key not in accepted:
            takes = f"it takes {', '.join(accepted)}" if accepted else "it takes no parameters"
            raise NameLookupError(
                f"{text!r}: no parameter {key!r} in {cls.name}; {takes}, as in {cls.name}(name=value)"
            )
        if key in given:
            raise NameLookupError(f"{text!r}: parameter {key} is given twice; give it once")
        given[key] = _convert(value, _hint(cls, key), f"{text!r}: parameter {key}")
    return given


def _hint(cls: Any, name: str) -> Any:
    """The type that a field declares; names in annotations that are text are looked up, which takes a while."""
    said = next(f.type for f in fields(cls) if f.name == name)
    return (
        said if isinstance(said, type) or typing.get_origin(said) is Literal else _hints(cls)[name]
    )


@cache
def _hints(cls: Any) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _convert(value: str, hint: Any, where: str) -> Any:
    """The text `value` as the type that the field declares."""
    if typing.get_origin(hint) is Literal:
        options = typing.get_args(hint)
        if value.strip("'\"") not in options:
            raise NameLookupError(f"{where} must be one of {', '.join(options)}; got {value}")
        return value.strip("'\"")
    literal = _literal(value)
    kinds = typing.get_args(hint) or (hint,)
    if float in kinds and isinstance(literal, int) and not isinstance(literal, bool):
        return float(literal)
    if str in kinds and not isinstance(literal, str) and type(literal) not in kinds:
        return value
    if any(isinstance(k, type) and type(literal) is k for k in kinds) or Any in kinds:
        return literal
    raise NameLookupError(
        f"{where} must be {' or '.join(getattr(k, '__name__', str(k)) for k in kinds)}; got {value}"
    )


def _literal(value: str) -> Any:
    words = {"true": True, "false": False, "none": None}
    if value.lower() in words:
        return words[value.lower()]
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value


def _spell(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
