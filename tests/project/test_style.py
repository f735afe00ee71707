"""What a stranger relies on when reading the code: names, lines, docstrings, wings, no circles."""

import ast
import importlib
import inspect
import re
from functools import cache
from pathlib import Path

import pytest

import assay

SRC = Path(assay.__file__).parent
ROOT = SRC.parents[1]
MODULES = sorted(SRC.rglob("*.py"))
WINGS = sorted(path.parent for path in SRC.glob("*/__init__.py"))
FAMILIES = ("adapters", "charts", "engines", "fusions", "metrics", "readers", "soups", "trackers")
WINGS_OF = {"trackers": "tracking"}  # families whose wing has another name

PREPOSITIONS = set(
    re.findall(
        r"\w+",
        """
        about above against among around as at below beneath beside between by during for in inside
        into of off on onto out outside over per toward towards under until up upon via with within
        without
        """,
    )
)
PARTICIPLES = set(
    re.findall(
        r"\w+",
        """
        begun bound bought brought built caught chosen dealt done drawn driven felt found given
        gone grown held hidden joined judged kept known led left lost made meant met opened paid
        said seen sent shot shown slept sold spent spoken stood sworn taken taught thought thrown
        told understood won written
        """,
    )
)
# Verbs in -ed that are no participles.
VERBS = {"embed", "exceed", "feed", "need", "proceed", "seed", "speed"}


@cache
def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path):
    """Every function of a module, methods and inner ones too."""
    return [
        n for n in ast.walk(parse(path)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def is_no_name(name):
    """Whether a name is a bare participle, or begins with a preposition or a participle."""
    words = name.strip("_").split("_")
    if name.startswith("__") or words[0] in ("from", "to"):
        return False
    participle = words[0] in PARTICIPLES
    bare = len(words) == 1 and words[0].endswith("ed") and words[0] not in VERBS
    return words[0] in PREPOSITIONS or participle or bare


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SRC)))
def test_a_function_is_named_by_a_verb_or_a_noun(path):
    names = [f.name for f in functions(path) if is_no_name(f.name)]
    assert [name for name in names if not is_hook(path, name)] == []


def is_hook(path, name):
    """Whether a function of a callback has the name by which its framework calls it."""
    return path.stem.endswith("_callback") and name.startswith("on_")


def test_no_line_of_the_project_has_more_than_100_characters():
    places = [
        f"{path.relative_to(ROOT)}:{number}"
        for top in ("src", "tests", "bench", "docs", "examples")
        for path in sorted((ROOT / top).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > 100
    ]
    assert places == []


def test_at_the_root_lie_names_alone_and_no_folder_is_deeper_than_two():
    assert {p.name for p in SRC.glob("*.py")} == {
        "__init__.py",
        "__main__.py",
        "errors.py",
        "version.py",
    }
    depths = {len(path.relative_to(SRC).parts) for path in MODULES}
    assert max(depths) == 2


@pytest.mark.parametrize("wing", WINGS, ids=lambda p: p.name)
def test_a_wing_says_what_it_is_for_and_names_each_of_its_rooms(wing):
    text = ast.get_docstring(parse(wing / "__init__.py")) or ""
    rooms = {p.stem for p in wing.glob("*.py")} - {"__init__"}
    named = set(re.findall(r"^- (\w+): ", text, flags=re.MULTILINE))
    assert named == rooms
    assert ">>> " in text


def test_every_module_opens_with_a_docstring_of_one_sentence():
    silent = [
        p.name for p in MODULES if len((ast.get_docstring(parse(p)) or "").split("\n")[0]) < 20
    ]
    assert silent == []


def imports_of(path, modules):
    """The modules that a module imports anywhere, also within functions and by a string."""
    found = set()
    typing_only = {
        id(inner)
        for node in ast.walk(parse(path))
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(parse(path)):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("assay"):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in modules else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name in modules}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            argument = node.args[0]
            if isinstance(argument, ast.Constant) and argument.value in modules:
                found.add(argument.value)
    return found


def module_name(path):
    name = ".".join(("assay", *path.relative_to(SRC).with_suffix("").parts))
    return name.removesuffix(".__init__")


def test_no_import_comes_back_to_where_it_began_whether_lazy_or_by_a_string():
    modules = {module_name(path): path for path in MODULES}
    below = {name: imports_of(path, modules) - {name} for name, path in modules.items()}
    while True:
        leaves = [name for name, deps in below.items() if not deps & below.keys()]
        if not leaves:
            break
        for name in leaves:
            del below[name]
    assert below == {}


def test_the_layers_of_imports_are_at_most_16():
    text = (ROOT / "pyproject.toml").read_text()
    layers = re.search(r"^layers = \[(.*?)^\]", text, flags=re.DOTALL | re.MULTILINE)[1]
    assert layers.count("\n") - 1 <= 16


@pytest.mark.parametrize("family", FAMILIES)
def test_members_of_a_family_do_not_import_one_another(family):
    wing = WINGS_OF.get(family, family)
    base = importlib.import_module(f"assay.{wing}.base")
    registry = getattr(base, family.upper())
    homes = {registry[name].__module__ for name in registry.names()}
    homes = {name for name in homes if name.startswith("assay.")}
    paths = {module_name(path): path for path in (SRC / wing).glob("*.py")}
    shared = SHARED.get(family, set())
    crossing = {
        (name, other)
        for name in homes & paths.keys()
        for other in imports_of(paths[name], paths)
        if other in homes and other.rsplit(".", 1)[1] not in shared
    }
    assert crossing == set()


# Rooms that define members and are bases of others as well.
SHARED = {"metrics": set(), "soups": {"uniform"}, "fusions": {"weighted", "mean", "greedy"}}


def public_callables():
    """(name, function) of all that `assay` exports, and of the public methods of its classes."""
    for name in sorted(dir(assay)):
        value = getattr(assay, name)
        if inspect.isclass(value):
            for method, function in vars(value).items():
                if not method.startswith("_") and inspect.isfunction(function):
                    yield f"{name}.{method}", function
        elif inspect.isfunction(value):
            yield name, value


def parameters_of(function):
    names = inspect.signature(function).parameters
    return [name for name in names if name not in ("self", "cls") and not name.startswith("_")]


def listed_parameters(function):
    """The names under `Parameters:` in a docstring."""
    text = inspect.cleandoc(function.__doc__ or "")
    section = re.search(r"^Parameters:\n((?: +.*\n?|\n)*)", text, flags=re.MULTILINE)
    if not section:
        return None
    return re.findall(r"^ {4}\*{0,2}(\w+(?:, \*{0,2}\w+)*):", section[1], flags=re.MULTILINE)


VERBS_AND_METHODS = dict(public_callables())


@pytest.mark.parametrize("name", [n for n in VERBS_AND_METHODS if "." not in n])
def test_the_docstring_of_a_verb_lists_its_parameters_and_no_others(name):
    function = VERBS_AND_METHODS[name]
    listed = listed_parameters(function) or []
    names = [one for entry in listed for one in entry.replace("*", "").split(", ")]
    assert names == parameters_of(function)


@pytest.mark.parametrize("name", [n for n in VERBS_AND_METHODS if "." not in n])
def test_a_verb_shows_itself_in_an_example(name):
    assert ">>> " in (VERBS_AND_METHODS[name].__doc__ or "")


def test_public_functions_of_the_code_name_nearly_all_their_parameters():
    """Docstrings name 99 % of the parameters of their functions, in backticks or in a list."""
    counted = missing = 0
    for path in MODULES:
        for function in public_functions(parse(path)):
            text = ast.get_docstring(function)
            if text:
                names = argument_names(function)
                counted += len(names)
                missing += sum(not is_named(name, text) for name in names)
    assert missing <= 0.01 * counted


def is_named(argument, text):
    """Whether a docstring names an argument: as `argument`, or at the start of a line of a list."""
    return re.search(rf"`{argument}`|^\s*\*{{0,2}}{argument}:", text, re.MULTILINE) is not None


def public_functions(node):
    """Functions and methods without a leading underscore in classes without one."""
    for child in node.body:
        if isinstance(child, ast.FunctionDef) and not child.name.startswith("_"):
            yield child
        elif isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            yield from public_functions(child)


def argument_names(function):
    a = function.args
    every = [*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg]
    names = [one.arg for one in every if one is not None]
    return [name for name in names if name not in ("self", "cls") and not name.startswith("_")]
