"""Which calls of code to libraries the installed versions don't take: names that are gone, arguments that don't fit.

Reads code as a syntax tree, without running it: follows imports, the classes of what they return, and what was assigned
once from them. What it can't follow, values of unknown type, it leaves out; `Calls.checked` says how many it compared.
"""

import ast
import importlib
import inspect
import types
import typing
from dataclasses import dataclass, field

UNKNOWN = object()
MISREAD = {"AutoModelForCausalLM.from_config"}  # a copied class method whose signature lacks its first argument


@dataclass
class Calls:
    """The calls and names of one piece of code, held against the installed libraries."""

    checked: int = 0  # calls whose arguments were compared with a signature
    faults: list[str] = field(default_factory=list)  # "source: what is wrong"
    names: dict[str, object] = field(default_factory=dict)  # what each name stands for, as far as known
    instances: dict[str, type] = field(default_factory=dict)  # names of objects → their class

    def read(self, source: str) -> "Calls":
        """Look at ``source``, after what was read before; returns itself."""
        tree = ast.parse(source)
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                self._import(node)
        changed = self._rebound(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                self._assign(node.targets[0].id, node.value, changed)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                self._call(node)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                self._value(node, loud=True)
        return self

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.ImportFrom):
            if node.level:
                return
            for alias in node.names:
                try:
                    module = importlib.import_module(node.module or "")
                    found = getattr(module, alias.name, UNKNOWN)
                    if found is UNKNOWN:
                        found = importlib.import_module(f"{node.module}.{alias.name}")
                except ImportError as error:
                    self._fault(node, f"no {alias.name} ({error})")
                    continue
                self._bind(alias.asname or alias.name, found)
            return
        for alias in node.names:
            try:
                module = importlib.import_module(alias.name)
            except ImportError as error:
                self._fault(node, str(error))
                continue
            root = alias.name.partition(".")[0]
            self._bind(alias.asname or root, module if alias.asname else importlib.import_module(root))

    def _bind(self, name: str, value: object) -> None:
        self.names[name] = value
        self.instances.pop(name, None)

    def _rebound(self, tree: ast.AST) -> set[str]:
        """Names that are also arguments, loop variables or assigned twice: their meaning is unknown, and forgotten."""
        stored = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
        targets = [node.targets for node in ast.walk(tree) if isinstance(node, ast.Assign)]
        single = [each[0].id for each in targets if len(each) == 1 and isinstance(each[0], ast.Name)]
        arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        unsure = {name for name in stored if stored.count(name) > 1 or name not in single} | arguments
        for name in {*stored, *arguments}:
            self.names.pop(name, None)
            self.instances.pop(name, None)
        return unsure

    def _assign(self, name: str, value: ast.expr, unsure: set[str]) -> None:
        if name not in unsure and isinstance(value, ast.Call) and (kind := self._class_of_call(value)):
            self.instances[name] = kind

    def _class_of_call(self, node: ast.Call) -> type | None:
        called = self._value(node.func)
        if inspect.isclass(called):
            return called
        if not (inspect.isfunction(called) or inspect.ismethod(called)):
            return None
        try:
            found = typing.get_type_hints(called).get("return")
        except Exception:  # hints that name what is only imported for type checkers
            return None
        return found if inspect.isclass(found) and found.__module__ not in ("builtins", "typing") else None

    def _value(self, node: ast.expr, loud: bool = False) -> object:
        """What an expression stands for, or `UNKNOWN`. ``loud``: note an attribute that is gone."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, UNKNOWN)
        if not isinstance(node, ast.Attribute):
            return UNKNOWN
        kind = self.instances.get(node.value.id) if isinstance(node.value, ast.Name) else None
        if kind is None and isinstance(node.value, ast.Call):
            kind = self._class_of_call(node.value)
        if kind is not None:
            found = self._of_instance(kind, node.attr)
        else:
            owner = self._value(node.value)
            if not (inspect.ismodule(owner) or inspect.isclass(owner)):
                return UNKNOWN
            if hasattr(owner, node.attr):
                return getattr(owner, node.attr)
            found = self._submodule(owner, node.attr)
        if found is None and loud:
            self._fault(node, f"no attribute {node.attr!r}")
        return UNKNOWN if found is None else found

    @staticmethod
    def _submodule(owner: object, name: str) -> object:
        if not inspect.ismodule(owner):
            return None
        try:
            return importlib.import_module(f"{owner.__name__}.{name}")
        except ImportError:
            return None

    @staticmethod
    def _of_instance(kind: type, name: str) -> object:
        """The method ``name`` of objects of a class, bound; `UNKNOWN` for what only an object can tell."""
        if hasattr(kind, name):
            found = inspect.getattr_static(kind, name)
            if inspect.isfunction(found):
                return types.MethodType(found, object())
            return UNKNOWN
        dynamic = hasattr(kind, "__getattr__") or kind.__module__.partition(".")[0] != "pricelab"
        declared = {key for base in kind.__mro__ for key in getattr(base, "__annotations__", {})}
        source = "" if dynamic else inspect.getsource(kind)
        return UNKNOWN if dynamic or name in declared or f"self.{name}" in source else None

    def _call(self, node: ast.Call) -> None:
        called = self._value(node.func)
        if called is UNKNOWN or not callable(called) or ast.unparse(node.func) in MISREAD:
            return
        try:
            signature = inspect.signature(called)
        except (TypeError, ValueError):  # compiled functions without one
            return
        open_ended = any(isinstance(each, ast.Starred) for each in node.args) or any(
            k.arg is None for k in node.keywords
        )
        positional = [each for each in node.args if not isinstance(each, ast.Starred)]
        named = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
        if inspect.isclass(called) and "self" in signature.parameters:  # of a compiled class: not what its call takes
            return
        self.checked += 1
        try:
            (signature.bind_partial if open_ended else signature.bind)(*positional, **named)
        except TypeError as error:
            self._fault(node, str(error))

    def _fault(self, node: ast.AST, what: str) -> None:
        told = f"{ast.unparse(node)[:120]}: {what}"
        if told not in self.faults:
            self.faults.append(told)
