"""The habits that keep the code readable, held by reading its syntax trees."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from tests.architecture.house import Function, Module, functions, modules

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BODY_LINES = 40
MOST_MODULE_LINES = 400

# dotted name -> why it may be longer, or may do what is not done elsewhere. An entry that is no longer needed fails.
LONG_FUNCTIONS: dict[str, str] = {}
LONG_MODULES: dict[str, str] = {}
STATEFUL: dict[str, str] = {}

SPEAKING_ROOMS = {"cli", "report", "web"}
CONTAINERS = (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp)
CONTAINER_CALLS = {"dict", "list", "set", "defaultdict", "OrderedDict", "Counter", "deque"}
MUTATING = {
    "add",
    "append",
    "appendleft",
    "clear",
    "discard",
    "extend",
    "insert",
    "pop",
    "popitem",
    "remove",
    "setdefault",
    "update",
}


def body_lines(function: Function) -> int:
    """Lines of the body, the docstring left out."""
    body = function.body
    if ast.get_docstring(function, clean=False) is not None:
        body = body[1:]
    if not body:
        return 0
    return (body[-1].end_lineno or 0) - body[0].lineno + 1


def test_functions_are_short() -> None:
    lengths = {name: body_lines(function) for module in modules() for name, function in functions(module)}
    long = {name for name, lines in lengths.items() if lines > MOST_BODY_LINES}
    assert not {name: lengths[name] for name in long - set(LONG_FUNCTIONS)}
    assert not set(LONG_FUNCTIONS) - long, "no longer needed"


def test_modules_are_short() -> None:
    lengths = {module.name: module.text.count("\n") for module in modules()}
    long = {name for name, lines in lengths.items() if lines > MOST_MODULE_LINES}
    assert not {name: lengths[name] for name in long - set(LONG_MODULES)}
    assert not set(LONG_MODULES) - long, "no longer needed"


def test_every_module_says_what_it_is() -> None:
    silent = [module.name for module in modules() if module.text.strip() and not ast.get_docstring(module.tree)]
    assert not silent


def test_only_the_outer_rooms_print() -> None:
    speaking = [
        f"{module.name}:{node.lineno}"
        for module in modules()
        if module.room not in SPEAKING_ROOMS
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and dotted(node.func) in {"print", "sys.stdout.write", "click.echo"}
    ]
    assert not speaking


def dotted(node: ast.expr) -> str:
    """`sys.stdout.write` for the expression of that name, "" for what is no plain name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        head = dotted(node.value)
        return f"{head}.{node.attr}" if head else ""
    return ""


def containers(module: Module) -> set[str]:
    """Names that a module binds to a list, dict or set at its top level."""
    names = set()
    for node in module.tree.body:
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, value = [node.target], node.value
        else:
            continue
        made = isinstance(value, CONTAINERS) or (isinstance(value, ast.Call) and dotted(value.func) in CONTAINER_CALLS)
        if made:
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def mutations(function: Function, names: set[str]) -> Iterator[str]:
    """Those of the module's `names` that `function` changes in place or rebinds."""
    for node in ast.walk(function):
        if isinstance(node, ast.Global):
            yield from node.names
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            yield from {dotted(node.value)} & names
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATING:
            yield from {dotted(node.func.value)} & names


def test_no_function_changes_the_state_of_its_module() -> None:
    changed = {
        f"{module.name}.{name}"
        for module in modules()
        for _, function in functions(module)
        for name in mutations(function, containers(module))
    }
    assert not changed - set(STATEFUL), "module-level state is changed; pass the object, or use functools.cache"
    assert not set(STATEFUL) - changed, "no longer needed"


def test_nothing_is_read_from_the_environment_at_import() -> None:
    readers = {"os.environ", "os.getenv", "environ", "getenv"}
    found = [
        f"{module.name}:{node.lineno}"
        for module in modules()
        for statement in module.tree.body
        if not isinstance(statement, Function | ast.ClassDef)
        for node in ast.walk(statement)
        if isinstance(node, ast.Attribute | ast.Name) and dotted(node) in readers
    ]
    assert not found


def test_no_dangerous_reading() -> None:
    forbidden = {"eval", "exec", "pickle.load", "pickle.loads", "yaml.load", "os.system", "marshal.loads"}
    found = [
        f"{module.name}:{node.lineno}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and dotted(node.func) in forbidden
    ]
    assert not found
    trusting = [module.name for module in modules() if "trust_remote_code" in module.text]
    assert not trusting


def test_random_numbers_come_from_a_generator_that_was_passed() -> None:
    found = [
        f"{module.name}:{node.lineno}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and dotted(node.func).startswith(("np.random.", "numpy.random.", "random."))
        and dotted(node.func).rpartition(".")[2] not in {"default_rng", "Generator", "SeedSequence", "PCG64"}
    ]
    assert not found


def test_torch_is_imported_where_real_tensors_live_and_nowhere_else() -> None:
    allowed = {"torchmodel", "quantize", "measure", "lab"}
    found = [
        module.name
        for module in modules()
        if module.room not in allowed
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Import | ast.ImportFrom) and "torch" in _top_level_names(node)
    ]
    assert not found


def _top_level_names(node: ast.Import | ast.ImportFrom) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name.partition(".")[0] for alias in node.names}
    return {(node.module or "").partition(".")[0]} if not node.level else set()
