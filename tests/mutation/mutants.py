"""What can be turned round in a module: each mutant is its syntax tree with one node changed."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from typing import NamedTuple

_NEGATED: dict[type[ast.cmpop], list[type[ast.cmpop]]] = {
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Lt: [ast.GtE, ast.LtE],
    ast.LtE: [ast.Gt, ast.Lt],
    ast.Gt: [ast.LtE, ast.GtE],
    ast.GtE: [ast.Lt, ast.Gt],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
}
_OTHER_OPERATOR: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_FIXED_NAMES = {"__all__", "TypeVar", "TYPE_CHECKING", "overload", "Protocol", "NamedTuple"}


class Mutant(NamedTuple):
    """One change.  `function` is "" where it is not in a function's body: then only a new import shows it."""

    tree: ast.Module
    function: str
    line: int
    lines: frozenset[int]
    text: str
    before: str
    after: str


def mutants_of(source: str) -> Iterator[Mutant]:
    """Every mutant of a module's source, from the top to the bottom."""
    tree = ast.parse(source)
    texts = source.splitlines()
    for path, node, function, statement in _walk(tree, (), "", None):
        for new in _changed(node):
            changed = copy.deepcopy(tree)
            *way, (field, index) = path
            parent: ast.AST = changed
            for name, position in way:
                parent = _child(parent, name, position)
            if index is None:
                setattr(parent, field, new)
            else:
                getattr(parent, field)[index] = new
            ast.fix_missing_locations(changed)
            lines = {statement.lineno, *range(node.lineno, (node.end_lineno or node.lineno) + 1)}
            yield Mutant(
                changed, function, node.lineno, frozenset(lines), texts[node.lineno - 1].strip(),
                _one_line(node), _one_line(new),
            )  # fmt: skip


def _child(node: ast.AST, field: str, index: int | None) -> ast.AST:
    value = getattr(node, field)
    return value if index is None else value[index]


def _one_line(node: ast.AST) -> str:
    if isinstance(node, (ast.If, ast.While)):
        return f"{type(node).__name__.lower()} {ast.unparse(node.test)}"
    return " ".join(ast.unparse(node).split())


def _walk(node, path, function, statement) -> Iterator[tuple]:
    """Every node that runs, with the way to it, the function whose body it is in and its statement."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "bases", "type_params"):
            continue
        children = enumerate(value) if isinstance(value, list) else [(None, value)]
        for index, child in children:
            if not isinstance(child, ast.AST) or _is_fixed(child):
                continue
            inside, here = function, statement
            if isinstance(child, ast.stmt):
                here = child
            if isinstance(node, _FUNCTIONS) and field == "body":
                inside = function or node.qualified
            if isinstance(child, (*_FUNCTIONS, ast.ClassDef)):
                outer = getattr(node, "qualified", "")
                child.qualified = f"{outer}.{child.name}" if outer else child.name
            way = (*path, (field, index))
            if hasattr(child, "lineno") and here is not None:
                yield way, child, inside, here
            yield from _walk(child, way, inside, here)


def _is_fixed(node: ast.AST) -> bool:
    """What no behaviour depends on: types, overloads, documentation, texts."""
    if isinstance(node, (ast.Import, ast.ImportFrom, ast.JoinedStr)):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, _FUNCTIONS):
        return any("overload" in ast.unparse(each) for each in node.decorator_list)
    if isinstance(node, ast.ClassDef):
        return any(ast.unparse(base) == "Protocol" for base in node.bases)
    if isinstance(node, (ast.If, ast.Assign)):
        told = node.test if isinstance(node, ast.If) else ast.Tuple([*node.targets, node.value])
        return any(
            isinstance(each, ast.Name) and each.id in _FIXED_NAMES for each in ast.walk(told)
        )
    return False


def _changed(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare():
            for index, operator in enumerate(node.ops):
                for other in _NEGATED[type(operator)]:
                    operators = [*node.ops[:index], other(), *node.ops[index + 1 :]]
                    yield ast.Compare(node.left, operators, node.comparators)
        case ast.BoolOp():
            yield ast.BoolOp(ast.And() if isinstance(node.op, ast.Or) else ast.Or(), node.values)
            for index in range(len(node.values)):
                rest = [*node.values[:index], *node.values[index + 1 :]]
                yield rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OTHER_OPERATOR:
            yield ast.BinOp(left, _OTHER_OPERATOR[type(operator)](), right)
        case ast.AugAssign(target=target, op=operator, value=value):
            yield ast.AugAssign(target, _OTHER_OPERATOR[type(operator)](), value)
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield ast.Constant(0 if value == 1 else value + 1)
        case ast.If() | ast.IfExp() | ast.While():
            if isinstance(node.test, (ast.Name, ast.Attribute, ast.Call)):
                new = copy.copy(node)
                new.test = ast.UnaryOp(ast.Not(), node.test)
                yield new
        case ast.Expr(value=ast.Call() | ast.Await()) | ast.Raise() | ast.Return(value=None):
            yield ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield ast.Pass()
        case ast.Return(value=value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield ast.Return(None)
        case ast.Break() | ast.Continue():
            yield ast.Pass()
