"""No source is written in a way that Cython makes C of that crashes, most of it where there is no memory.

An exception gets no traceback where there is no memory for one: Cython's __Pyx_AddTraceback() needs a code object and
a frame, and does without.  What handles the exception then holds NULL for it, and gives it back

* with Py_XDECREF() where the block is left at its end, by `raise`, `break` or `continue`;
* with Py_DECREF() where it is left by `return`: ReturnStatNode releases every temporary value that the function holds.
  Not so in an `except` without `as` that does nothing but return a literal, or nothing: that makes no traceback;
* after Py_INCREF(), with which a `with` statement puts it into the arguments of __exit__().

What a list comprehension makes (a call's result, a tuple, text, a number) is given away by
__Pyx_ListComp_AppendAndDecref(), which has given it back when it fails, and the function's error exit does that once
more.  So it is in what Cython turns into such a comprehension: a generator expression that list(), sorted() or
"".join() takes, and what follows a starred item in a list.  An item that is a variable is appended in another way.
Sets, dicts, list.append() in a loop and list(map()) are well.

The cure of the first kind: keep the failure and return after the block, or write the rest into `else`.
As in the C of Cython 3.3; 3.2 has the first kind alone.

Cython 3.2.0 crashes on another: `name := value` in a comprehension.  It looks variables of the value up around the
comprehension, where the function has declared one of the name of the comprehension's, which is NULL.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from places import ROOT

SOURCE = ROOT / "src"
FILES = sorted(path for path in SOURCE.rglob("*") if path.suffix in (".pyx", ".pxd"))

pytest.importorskip("Cython", reason="Cython is not installed")

from Cython.Compiler import Builtin, Errors, ExprNodes, Nodes  # noqa: E402
from Cython.Compiler.Parsing import p_module  # noqa: E402
from Cython.Compiler.Scanning import PyrexScanner, StringSourceDescriptor  # noqa: E402
from Cython.Compiler.TreeFragment import StringParseContext  # noqa: E402

RETURN = "a return in an except block"
WITH = "a with statement"
MADE = "a list comprehension of what it makes"
STARRED = "a made item behind a starred one"
NAMED = "an assignment expression in a comprehension"

FUNCTIONS = (Nodes.FuncDefNode, ExprNodes.LambdaNode)


def children_of(node: Any) -> Iterator[Any]:
    for name in node.child_attrs or ():
        child = getattr(node, name, None)
        if isinstance(child, (list, tuple)):
            yield from (each for each in child if each is not None)
        elif child is not None:
            yield child


def nodes_of(node: Any, *, into_functions: bool = True) -> Iterator[Any]:
    yield node
    for child in children_of(node):
        if into_functions or not isinstance(child, FUNCTIONS):
            yield from nodes_of(child, into_functions=into_functions)


def makes_no_traceback(clause: Any) -> bool:
    """Whether Cython drops the exception where it is caught."""
    body = clause.body
    statements = body.stats if isinstance(body, Nodes.StatListNode) else [body]
    return clause.target is None and all(
        isinstance(each, Nodes.PassStatNode)
        or (isinstance(each, Nodes.ReturnStatNode) and (each.value is None or each.value.is_literal))
        for each in statements
    )


def is_variable(item: Any, loop: Any) -> bool:
    """Whether it is what the loops, or the conditions, of a comprehension have assigned.

    Which of them are C numbers, of which each is made into an object, only types tell.
    """
    assigned = set()
    for node in nodes_of(loop):
        if isinstance(node, Nodes.ForInStatNode):
            assigned |= {name.name for name in nodes_of(node.target) if isinstance(name, ExprNodes.NameNode)}
        elif isinstance(node, ExprNodes.AssignmentExpressionNode):
            assigned.add(node.target_name)
    return isinstance(item, ExprNodes.NameNode) and item.name in assigned


def made_by(node: Any) -> Any:
    """What a list comprehension makes, or what Cython turns into one; None where it makes nothing."""
    if isinstance(node, ExprNodes.ComprehensionNode) and node.type is Builtin.list_type:
        item, loop = node.append.expr, node.loop
    elif isinstance(node, ExprNodes.SimpleCallNode) and takes_as_list(node):
        loop = node.args[0].loop
        (item,) = (each.arg for each in nodes_of(loop, into_functions=False) if is_yield(each))
    else:
        return None
    return None if is_variable(item, loop) else item


def is_yield(node: Any) -> bool:
    return isinstance(node, ExprNodes.YieldExprNode)


def is_critical_section(node: Any) -> bool:
    # Which has no __exit__() to call, and nothing to allocate.
    return getattr(getattr(node.manager, "function", None), "attribute", None) == "critical_section"


def takes_as_list(call: Any) -> bool:
    name = getattr(call.function, "name", None) or getattr(call.function, "attribute", None)
    return (
        name in ("list", "sorted", "join")
        and len(call.args) == 1
        and isinstance(call.args[0], ExprNodes.GeneratorExpressionNode)
    )


def parsed(text: str, declarations: bool) -> Any:
    """The tree of a .pyx, or of a .pxd."""
    Errors.init_thread()
    name, start = "parsed", ("parsed", 1, 0)
    context = StringParseContext(name)
    scanner = PyrexScanner(
        StringIO(text), StringSourceDescriptor(name, text), source_encoding="UTF-8", context=context,
        scope=context.find_module(name, pos=start, need_pxd=False), initial_pos=start,
    )  # fmt: skip
    return p_module(scanner, declarations, name)


def found_in(text: str, *, declarations: bool = False) -> list[tuple[int, str]]:
    """The line of each, and what it is."""
    found = set()
    for node in nodes_of(parsed(text, declarations)):
        if isinstance(node, Nodes.ExceptClauseNode) and not makes_no_traceback(node):
            found |= {
                (each.pos[1], RETURN)
                for each in nodes_of(node.body, into_functions=False)
                if isinstance(each, Nodes.ReturnStatNode)
            }
        elif isinstance(node, Nodes.WithStatNode) and not is_critical_section(node):
            found.add((node.pos[1], WITH))
        elif isinstance(node, ExprNodes.ListNode):
            starred = False
            for item in node.args:
                if starred and not (item.is_starred or isinstance(item, ExprNodes.NameNode)):
                    found.add((item.pos[1], STARRED))
                starred = starred or item.is_starred
        elif (made := made_by(node)) is not None:
            found.add((made.pos[1], MADE))
        if isinstance(node, (ExprNodes.ComprehensionNode, ExprNodes.GeneratorExpressionNode)):
            found |= {
                (each.pos[1], NAMED)
                for each in nodes_of(node.loop)
                if isinstance(each, ExprNodes.AssignmentExpressionNode)
            }
    return sorted(found)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE / "uvnet")))
def test_nothing_crashes(path: Path) -> None:
    assert found_in(path.read_text(), declarations=path.suffix == ".pxd") == []


EXAMPLE = '''
def returns(f):
    try:
        f()
    except KeyError:
        return None
    except ValueError as error:
        return 1                    # RETURN
    except TypeError:
        if f:
            try:
                return f            # RETURN
            finally:
                f()
    except OSError:
        return f()                  # RETURN
    except AttributeError:
        def inside():
            return f()
        f(lambda: 1)
    except MemoryError as error:
        f(error)
    else:
        return 2
    return 3

cdef inline int in_c(object f) except -1:
    while True:
        try:
            f()
        except KeyError as error:
            f(error)
            break
        except ValueError:
            f()
            continue
        except:
            f()
            return 1                # RETURN
        finally:
            f()
    return 0

cdef class Kind:
    cdef int enters(self, lock) except -1:
        with nogil:
            pass
        with lock:                  # WITH
            return 0

def lists(f, those):
    a = [f(each) for each in those]                 # MADE
    b = [(key, value) for key, value in those]      # MADE
    c = [each for each in those if f(each)]
    d = [found for each in those if (found := f(each))]     # NAMED
    q = any((found := f(each)) for each in those)           # NAMED
    e = {f(each) for each in those}, {each: f(each) for each in those}, any(f(each) for each in those)
    g = list(f(each) for each in those)             # MADE
    h = sorted((each.name for each in those))       # MADE
    i = ", ".join(str(each) for each in those)      # MADE
    j = ", ".join(each for each in those)
    k = list(map(f, those))
    m = [f(1), *those], [*those, f], (f, *those)
    n = [*those, f(2)]                              # STARRED
    o = [[f(each) for each in some]                 # MADE
         for some in those if some]
    p = [lists for each in those]                   # MADE
    return a, b, c, d, e, g, h, i, j, k, m, n, o, p, q
'''


def test_what_is_found() -> None:
    marks = {"RETURN": RETURN, "WITH": WITH, "MADE": MADE, "STARRED": STARRED, "NAMED": NAMED}
    marked = [
        (number, marks[line.rpartition("# ")[2]])
        for number, line in enumerate(EXAMPLE.splitlines(), 1)
        if "  # " in line
    ]
    assert {what for _, what in marked} == set(marks.values())
    assert found_in(EXAMPLE) == marked
