"""Which assertions of a lesson depend on a clock: its text is walked in order, and each name says whether it was timed.

A value is timed if it comes of `time.*`, of what the course keeps of earlier measurements, or of a timed value. A tuple
that a function returns is known part by part. What only picks out of something (an index, a key) makes nothing timed.
"""

import ast

KEPT = {"seconds", "seconds_per_byte", "pace", "times_full_cache"}  # attributes and keys of what was timed before
PUTS = {"append", "extend", "insert", "add", "update", "setdefault"}  # methods that put something into their owner
Parts = list[bool]  # of a value, one where it has no parts


def _either(a: Parts, b: Parts) -> Parts:
    return [x or y for x, y in zip(a, b, strict=True)] if len(a) == len(b) else [any(a + b)] if a and b else a or b


def timed_assertions(text: str) -> list[int]:
    """The lines of the assertions in a text that depend on a clock."""
    walk = Walk()
    walk.run(ast.parse(text).body, {})
    return sorted(walk.found)


class Walk:
    """One walk over a text; `names` says of each name which parts of its value are timed."""

    def __init__(self):
        self.found: set[int] = set()
        self.gives: dict[str, Parts] = {}  # what a function returns

    def run(self, body: list[ast.stmt], names: dict[str, Parts]) -> Parts:
        """What is returned inside of it."""
        returned: Parts = []
        for node in body:
            for put in (one for one in ast.walk(node) if isinstance(one, ast.Call)):
                self._put(put, names)
            match node:
                case ast.FunctionDef():
                    own = names | {arg.arg: [False] for arg in ast.walk(node) if isinstance(arg, ast.arg)}
                    self.gives[node.name] = self.run(node.body, own) or [False]
                case ast.ClassDef() | ast.With() | ast.Try():
                    returned = _either(returned, self.run(node.body, names))
                case ast.For():
                    self.bind(node.target, self.inside(node.iter, names), names)
                    for _ in range(2):  # what is put in at its end is there at its beginning
                        returned = _either(returned, self._branch(node.body, names))
                case ast.While() | ast.If():
                    for part in (node.body, node.orelse, node.body):
                        returned = _either(returned, self._branch(part, names))
                case ast.Assign(targets=targets, value=value):
                    for target in targets:
                        self.bind(target, self.parts(value, names), names)
                case ast.AugAssign(target=target, value=value) if self.timed(value, names):
                    self.bind(target, [True], names)
                case ast.Return(value=value) if value:
                    returned = _either(returned, self.parts(value, names))
                case ast.Assert(test=test) if self.timed(test, names):
                    self.found.add(node.lineno)
        return returned

    def _branch(self, body: list[ast.stmt], names: dict[str, Parts]) -> Parts:
        """A body that may be left out: what was timed before stays so."""
        before = dict(names)
        returned = self.run(body, names)
        for name, parts in before.items():
            names[name] = _either(parts, names[name])
        return returned

    def _put(self, call: ast.Call, names: dict[str, Parts]) -> None:
        if isinstance(call.func, ast.Attribute) and call.func.attr in PUTS:
            if any(self.timed(one, names) for one in call.args):
                self.bind(ast.Subscript(call.func.value), [True], names)

    def bind(self, target: ast.expr, parts: Parts, names: dict[str, Parts]) -> None:
        match target:
            case ast.Name(id=name):
                names[name] = parts
            case ast.Tuple(elts=elts) | ast.List(elts=elts):
                each = parts if len(parts) == len(elts) else [any(parts)] * len(elts)
                for one, timed in zip(elts, each, strict=True):
                    self.bind(one, [timed], names)
            case ast.Starred(value=value):
                self.bind(value, parts, names)
            case ast.Subscript(value=ast.Name(id=name)) | ast.Attribute(value=ast.Name(id=name)) if any(parts):
                names[name] = [True]
            case ast.Subscript(value=value) | ast.Attribute(value=value) if any(parts):
                self.bind(value, parts, names)

    def parts(self, value: ast.expr, names: dict[str, Parts]) -> Parts:
        match value:
            case ast.Tuple(elts=elts) if not any(isinstance(one, ast.Starred) for one in elts):
                return [self.timed(one, names) for one in elts]
            case ast.Call(func=ast.Name(id=name)) if name in self.gives:
                return self.gives[name]
            case ast.Name(id=name):
                return names.get(name, [False])
        return [self.timed(value, names)]

    def inside(self, value: ast.expr, names: dict[str, Parts]) -> Parts:
        """The parts of what a loop over a value gives."""
        match value:
            case ast.Call(func=ast.Attribute(value=owner, attr="items")):
                return [False, self.timed(owner, names)]
            case ast.Call(func=ast.Name(id="zip"), args=args):
                return [self.timed(one, names) for one in args]
            case ast.Call(func=ast.Name(id="enumerate"), args=[one, *_]):
                return [False, self.timed(one, names)]
        return [self.timed(value, names)]

    def timed(self, node: ast.AST, names: dict[str, Parts]) -> bool:
        """Whether any part of a value is timed."""
        match node:
            case ast.Name(id=name):
                return any(names.get(name, [False])) or any(self.gives.get(name, [False]))
            case ast.Constant(value=value):
                return isinstance(value, str) and value in KEPT
            case ast.Attribute(value=ast.Name(id="time")):
                return True
            case ast.Attribute(value=value, attr=attr):
                return attr in KEPT or self.timed(value, names)
            case ast.Subscript(value=value, slice=ast.Constant(value=key)):
                return key in KEPT or self.timed(value, names)
            case ast.Subscript(value=value):
                return self.timed(value, names)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                own = dict(names)
                for loop in node.generators:
                    self.bind(loop.target, self.inside(loop.iter, own), own)
                made = [node.value] if isinstance(node, ast.DictComp) else [node.elt]
                return any(self.timed(one, own) for one in made)
            case ast.Dict(values=values):
                return any(self.timed(one, names) for one in values)
        return any(self.timed(child, names) for child in ast.iter_child_nodes(node))
