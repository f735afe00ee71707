"""Registry: the members of an open family (metrics, fusions, readers, ...), by name.

A member is a frozen dataclass with a `name`; defining it registers it. Third parties add theirs by
subclassing, by an entry point in the group `assay.<family>`, or on the command line by
`assay --plugin FILE.py`.

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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, Field, fields
from functools import cache
from typing import Any, ClassVar, Generic, Literal, TypeVar, cast

from assay.core.lazy import lazy_property
from assay.core.members import MEMBERS
from assay.errors import NameLookupError, suggest

__all__ = ["Member", "Registry", "parameters"]

MAX_INSTANCES = 4096  # instances that are kept for the next time their text is parsed

T = TypeVar("T", bound="Member")


class Member:
    """A named, parametrised member of a family.

    Its text names only the parameters that differ from the default.
    """

    name: ClassVar[str] = ""
    # Further names that `parse` takes; "f2(beta=2)" is a name that stands for a parameter as well.
    aliases: ClassVar[tuple[str, ...]] = ()
    # Parameters that others have for it, and what to say in their place.
    instead: ClassVar[Mapping[str, str]] = {}
    registry: "ClassVar[Registry[Any]]"

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__dict__.get("name"):
            cls.registry.add(cls)

    def __str__(self) -> str:
        return self._text

    @lazy_property
    def _text(self) -> str:
        values = [
            f"{f.name}={_spell(getattr(self, f.name))}"
            for f in parameters(type(self))
            if f.default is MISSING or getattr(self, f.name) != f.default
        ]
        return f"{self.name}({', '.join(values)})" if values else self.name


class Registry(Generic[T]):
    """The members of one family: of the modules of its package, user subclasses, entry points."""

    def __init__(self, family: str, wing: str | None = None) -> None:
        self.family = family
        self._package = f"assay.{wing or family}"
        self._classes: dict[str, type[T]] = {}
        self._aliases: dict[str, tuple[str, str]] = {}  # a member's name, and parameters of it
        self._instances: dict[str, T] = {}  # by the text that names them; members are frozen
        self._pending: list[str] | None = None  # modules to import; None before they are listed
        self._has_entry_points = False

    def add(self, member: type[T] | T) -> None:
        """Register `member` (or the class of one); a later class of a name replaces the earlier."""
        cls = member if isinstance(member, type) else type(member)
        self._classes[member.name] = cls
        self._instances.pop(member.name, None)  # the name may have been an alias of another
        for alias in vars(cls).get("aliases", ()):  # those of a base are of the base alone
            known, _, stands_for = alias.rstrip(")").partition("(")
            self._aliases[known] = member.name, stands_for

    def load(self, until: str | None = None, *, installed: bool = True) -> None:
        """Import the modules of the family's package, then its entry points.

        Importing stops at the first member named `until`: each module costs start-up time, and most
        calls name members of one or two modules. The generated `assay.core.members` says which
        module that is; a name that it does not list is found by importing one after the other.
        `installed` says whether entry points of other packages are read as well.
        """
        while until not in self._classes and until not in self._aliases:
            module = self._next_module(until)
            if module is None:
                if installed:
                    self._load_entry_points()
                return
            importlib.import_module(module)

    def _next_module(self, name: str | None) -> str | None:
        """The next module to import on the way to a member of that name; None when all are."""
        package = self._package
        if self._pending is None:
            paths = importlib.import_module(package).__path__
            self._pending = [f"{package}.{module.name}" for module in pkgutil.iter_modules(paths)]
        if not self._pending:
            return None
        listed = f"{package}.{MEMBERS.get(self.family, {}).get(name or '')}"
        return self._pending.pop(self._pending.index(listed) if listed in self._pending else 0)

    def _load_entry_points(self) -> None:
        if self._has_entry_points:
            return
        self._has_entry_points = True
        # Reading what is installed takes a quarter of the start-up.
        from importlib.metadata import entry_points

        for point in entry_points(group=f"assay.{self.family}"):
            self.add(point.load())

    @contextmanager
    def isolate(self) -> Iterator[None]:
        """Undo on leaving whatever is registered inside, for tests and examples.

        The family is loaded first, so that its own members are not among what is undone.

        >>> from assay.metrics.base import METRICS
        >>> from assay.metrics.classification import Recall
        >>> with METRICS.isolate():
        ...     class Sensitivity(Recall):
        ...         name = "sensitivity"
        ...     "sensitivity" in METRICS.names()
        True
        >>> "sensitivity" in METRICS.names()
        False
        """
        self.load()
        before = dict(self._classes)
        aliases = dict(self._aliases)
        try:
            yield
        finally:
            self._classes = before
            self._aliases = aliases

    def names(self, *, installed: bool = True) -> list[str]:
        """Names of all members, sorted; those of entry points alone only where `installed`."""
        self.load(installed=installed)
        return sorted(self._classes)

    def index(self) -> dict[str, str]:
        """The module of the family's package that defines each name, as `assay.core.members`."""
        package = f"{self._package}."
        modules = {name: self[name].__module__ for name in sorted({*self.names(), *self._aliases})}
        return {
            name: module.removeprefix(package)
            for name, module in modules.items()
            if module.startswith(package)
        }

    def __getitem__(self, name: str) -> type[T]:
        return self._resolve(name)[0]

    def _resolve(self, name: str) -> tuple[type[T], str]:
        """The member of this name, and the parameters that the name stands for, as text."""
        plain = name.lower().replace("-", "_")  # as in R2 and roc-auc
        for spelled in dict.fromkeys((name, plain)):
            self.load(spelled)
            if spelled in self._classes:
                return self._classes[spelled], ""
            if spelled in self._aliases:
                member, stands_for = self._aliases[spelled]
                return self._classes[member], stands_for
        option = self._split_option(plain)
        if option is not None:
            return option
        close = self._find_aliases(name) or suggest(name, self._classes, 3)
        hint = (
            f"Did you mean {' or '.join(close)}?"
            if close
            else f"Run 'assay list {self.family}' for all of them."
        )
        raise NameLookupError(f"no {self.family.rstrip('s')} is named {name!r}. {hint}")

    def _split_option(self, name: str) -> tuple[type[T], str] | None:
        """The member and the option of a name that ends with one, as f1_macro (average=macro)."""
        at = [i for i, letter in enumerate(name) if letter == "_"]
        for head, tail in ((name[:i], name[i + 1 :]) for i in reversed(at)):
            if head not in self._classes and head not in self._aliases:
                continue
            cls, stands_for = self._resolve(head)
            for key, hint in _resolve_hints(cast("Any", cls)).items():
                if typing.get_origin(hint) is Literal and tail in typing.get_args(hint):
                    return cls, ", ".join(filter(None, (stands_for, f"{key}={tail}")))
        return None

    def _find_aliases(self, name: str) -> list[str]:
        """The members that others know by this name, at most three.

        That is the longest member that the name begins with, as in f1_score; else those whose
        oracle or "Also called" has it.
        """
        prefixes = [known for known in self._classes if name.startswith(f"{known}_")]
        if prefixes:
            return [max(prefixes, key=len)]
        word = _squeeze(name)
        return [known for known, cls in self._classes.items() if word in _other_names(cls)][:3]

    def parse(self, text: str | T) -> T:
        """The member that `text` names, as in "f_beta(beta=2)"; a member is returned as it is.

        Names that others use are taken too: aliases of members ("fnr"), and names that end with an
        option of one of their parameters ("f1_macro"), in any case, with hyphens or underscores.

        >>> from assay.metrics.base import METRICS
        >>> str(METRICS.parse("f1_macro")), str(METRICS.parse("R2"))
        ('f1(average=macro)', 'r2')
        """
        if not isinstance(text, str):
            return text
        known = self._instances.get(text)
        if known is not None and self._classes.get(known.name) is type(known):
            return known
        match = re.fullmatch(r"\s*([A-Za-z_][\w-]*)\s*(?:\((.*)\))?\s*", text, flags=re.DOTALL)
        if not match:
            raise NameLookupError(
                f"cannot read {text!r}; expected a name with parameters in brackets, "
                "as in f_beta(beta=2)"
            )
        name, given = match.groups()
        cls, stands_for = self._resolve(name)
        inside = ", ".join(filter(None, (stands_for, given)))
        if len(self._instances) >= MAX_INSTANCES:
            self._instances.clear()
        member = cls(**_parse_arguments(cls, text, inside)) if inside else cls()
        self._instances[text] = member
        return member


def _other_names(cls: Any) -> set[str]:
    """What a member is also called, by its docstring, and the functions that its oracle calls."""
    text = " ".join((cls.__doc__ or "").split())
    names = re.findall(r"\.(\w+)\(", getattr(cls, "oracle", ""))
    for sentence in re.findall(r"Also called ([^.]+)\.", text):
        names += re.split(r",| or |;|:|[()]", sentence)
    return {_squeeze(name) for name in names}


def _squeeze(name: str) -> str:
    """Letters and digits alone, in lower case: PR AUC, pr_auc and PR-AUC are one name."""
    return "".join(c for c in name.lower() if c.isalnum())


def parameters(cls: Any) -> "list[Field[Any]]":
    """The parameters of the member `cls`: first its own, then those it shares with its family."""
    return sorted(fields(cls), key=lambda f: bool(f.kw_only))


def _parse_arguments(cls: type[Member], text: str, inside: str) -> dict[str, Any]:
    accepted = [f.name for f in parameters(cls)]
    arguments: dict[str, Any] = {}
    for part in filter(None, (p.strip() for p in re.split(r",(?![^\[(]*[\])])", inside))):
        key, equals, value = map(str.strip, part.partition("="))
        if not equals or key not in accepted:
            takes = f"it takes {', '.join(accepted)}" if accepted else "it takes no parameters"
            advice = cls.instead.get(key, f"{takes}, as in {cls.name}(name=value)")
            raise NameLookupError(f"{text!r}: no parameter {key!r} in {cls.name}; {advice}")
        if key in arguments:
            raise NameLookupError(f"{text!r}: parameter {key} is given twice; give it once")
        arguments[key] = _convert(value, _find_hint(cls, key), f"{text!r}: parameter {key}")
    return arguments


def _find_hint(cls: Any, name: str) -> Any:
    """The type that a field declares; text is resolved as an annotation, which takes a while."""
    declared = next(f.type for f in fields(cls) if f.name == name)
    if isinstance(declared, type) or typing.get_origin(declared) is Literal:
        return declared
    return _resolve_hints(cls)[name]


@cache
def _resolve_hints(cls: Any) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _convert(value: str, hint: Any, where: str) -> Any:
    """The text `value` as the type that the field declares."""
    if typing.get_origin(hint) is Literal:
        options = typing.get_args(hint)
        if value.strip("'\"") not in options:
            raise NameLookupError(f"{where} must be one of {', '.join(options)}; got {value}")
        return value.strip("'\"")
    literal = _read_literal(value)
    kinds = typing.get_args(hint) or (hint,)
    if float in kinds and isinstance(literal, int) and not isinstance(literal, bool):
        return float(literal)
    if str in kinds and not isinstance(literal, str) and type(literal) not in kinds:
        return value
    if any(isinstance(k, type) and type(literal) is k for k in kinds) or Any in kinds:
        return literal
    expected = " or ".join(getattr(k, "__name__", str(k)) for k in kinds)
    raise NameLookupError(f"{where} must be {expected}; got {value}")


def _read_literal(value: str) -> Any:
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
