"""Chooses one form per op so that the fewest bytes are transposed.

Forms that fit each other at a shared tensor are of one *class* ("everything NHWC"). Where the ops
of a connected region have forms of at most two classes, the choice is a minimum cut and thus
exact; with more classes the cut is repeated for one class after the other (alpha expansion,
Boykov, Veksler and Zabih 2001), which is good but not proved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edgekit.lowering.ledger import Value
from edgekit.lowering.tflite.layout.lemma import Rewrite
from edgekit.lowering.tflite.layout.mincut import INFINITE, MinCut
from edgekit.lowering.tflite.layout.network import Network, Node, Root, Use, touched
from edgekit.lowering.tflite.layout.perm import Perm, compose, identity

BYTE = 1024
"""Cost of moving a byte, in units of the cost of a reshape that moves none."""
ROUNDS = 4
"""Expansion rounds over all classes where more than two meet."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The form chosen for each op.

    Attributes:
        form: Index of the form, by node.
        proved: Whether no choice among the considered forms moves fewer bytes.
    """

    form: dict[Node, int]
    proved: bool


def solve(network: Network) -> Choice:
    """Returns the choice of forms that moves the fewest bytes."""
    classes = _Classes(network)
    state = dict.fromkeys(network.nodes, 0)
    exact = [_expand_region(network, classes, region, state) for region in classes.regions()]
    return Choice(state, all(exact))


class _Union:
    """Union-find over hashable items."""

    def __init__(self) -> None:
        self.parent: dict[object, object] = {}

    def find(self, item: object) -> object:
        root = self.parent.setdefault(item, item)
        while self.parent[root] != root:
            root = self.parent[root]
        while self.parent[item] != root:
            self.parent[item], item = root, self.parent[item]
        return root

    def join(self, a: object, b: object) -> None:
        self.parent[self.find(a)] = self.find(b)


class _Classes:
    """Classes of (op, form) pairs that fit each other, and regions of ops whose choices interact.

    Only ops with a choice count: the others are fixed and separate the regions.
    """

    def __init__(self, network: Network) -> None:
        self.classes, self.links = _Union(), _Union()
        self.open = [node for node in network.nodes if len(node.forms) > 1]
        for node in self.open:
            places = [set(touched(network, node, form)) for form in node.forms]
            # What all forms of an op have in common does not bind its choice to its neighbours'.
            common = set.intersection(*places)
            for k, place in enumerate(places):
                for value, perm in place - common:
                    self.classes.join((node, k), (value, perm))
                    self.links.join(node, value)

    def of(self, node: Node, form: int) -> object:
        return self.classes.find((node, form))

    def regions(self) -> list[list[tuple[object, list[Node]]]]:
        """Returns, for each region, its classes with the ops that have a form of the class."""
        regions: dict[object, dict[object, dict[Node, None]]] = {}
        for node in self.open:
            region = regions.setdefault(self.links.find(node), {})
            for k in range(len(node.forms)):
                region.setdefault(self.of(node, k), {})[node] = None
        return [[(label, list(nodes)) for label, nodes in r.items()] for r in regions.values()]


def _expand_region(
    network: Network,
    classes: _Classes,
    region: list[tuple[object, list[Node]]],
    state: dict[Node, int],
) -> bool:
    """Improves the state of a region; tells whether the result is proved to be the best."""
    if len(region) > 2:
        for _ in range(ROUNDS):
            moves = [_expand(network, classes, label, nodes, state)[0] for label, nodes in region]
            if not any(moves):
                break
        return False
    nodes = {n for _, members in region for n in members}
    for node in nodes:  # start from one class wherever it has a form
        state[node] = _form_in(classes, node, region[0][0], state[node])
    unambiguous = all(len({classes.of(n, k) for k in range(len(n.forms))}) == len(n.forms) for n in nodes)
    exact = True
    for label, members in region[1:]:
        exact = _expand(network, classes, label, members, state)[1]
    return exact and unambiguous


def _form_in(classes: _Classes, node: Node, label: object, otherwise: int) -> int:
    return next((k for k in range(len(node.forms)) if classes.of(node, k) == label), otherwise)


def _expand(
    network: Network, classes: _Classes, label: object, nodes: Iterable[Node], state: dict[Node, int]
) -> tuple[bool, bool]:
    """Lets each op switch to its form of one class; returns (something changed, move was exact)."""
    proposal = {n: _form_in(classes, n, label, state[n]) for n in nodes}
    free = {n: k for n, k in proposal.items() if k != state[n]}
    if not free:
        return False, True
    move = _Move(free, state)
    exact = True
    for value in _roots_of(network, free):
        exact &= move.charge(network, network.roots[value])
    switched = move.solve()
    before = cost(network, state, _roots_of(network, free))
    trial = {**state, **{n: free[n] for n in switched}}
    if cost(network, trial, _roots_of(network, free)) >= before:
        return False, exact
    state.update(trial)
    return True, exact


def _roots_of(network: Network, nodes: Iterable[Node]) -> list[Value]:
    """Returns the roots that the nodes read or make in any of their forms."""
    found: dict[Value, None] = {}
    for node in nodes:
        for operand in node.op.inputs:
            if operand is not None and operand.data is None:
                found[network.views[operand][0]] = None
        found.update(dict.fromkeys(node.op.outputs))
    return list(found)


def stored_perm(root: Root, state: dict[Node, int]) -> Perm:
    """Returns the permutation under which a root is stored."""
    return root.stored if root.producer is None else _form(root.producer, state).outputs[root.index]


def wanted_perms(network: Network, root: Root, state: dict[Node, int]) -> set[Perm]:
    """Returns the permutations under which a root is wanted."""
    wanted: set[Perm] = set()
    for use in root.uses:
        perm = network.outputs[use.index] if use.node is None else _form(use.node, state).inputs[use.index]
        if perm is not None:
            wanted.add(compose(use.view, perm))
    return wanted


def cost(network: Network, state: dict[Node, int], values: Iterable[Value]) -> int:
    """Returns what the given roots cost: the bytes that are transposed, then the reshapes.

    A root is transposed once for each order of axes in which it is wanted but not stored, and reshaped
    once for each permutation that differs only in where the axes of size 1 lie.
    """
    total = 0
    for value in values:
        root = network.roots[value]
        stored, wanted = stored_perm(root, state), wanted_perms(network, root, state)
        orders = {root.order(p) for p in wanted} - {root.order(stored)}
        total += BYTE * root.bytes * len(orders) + len(wanted - {stored})
    return total


def _form(node: Node, state: dict[Node, int]) -> Rewrite:
    return node.forms[state[node]]


class _Move:
    """One binary choice per free op: keep its form (0) or switch (1), priced as a cut."""

    def __init__(self, free: dict[Node, int], state: dict[Node, int]) -> None:
        self.free, self.state = free, state
        self.cut = MinCut()
        self.variable = {node: self.cut.variable() for node in free}

    def solve(self) -> list[Node]:
        values = self.cut.solve()
        return [node for node, x in self.variable.items() if values[x]]

    def charge(self, network: Network, root: Root) -> bool:
        """Adds what a root costs, as in `cost`.

        Returns:
            Whether it could be expressed exactly (it is submodular).
        """
        wanted = {p for use in root.uses for p in self._wanted(network, use)}
        orders = {root.order(p) for p in wanted}
        exact = [self._charge(network, root, order, root.order, BYTE * root.bytes) for order in orders]
        exact += [self._charge(network, root, perm, lambda p: p, 1) for perm in wanted]
        return all(exact)

    def _wanted(self, network: Network, use: Use) -> list[Perm]:
        if use.node is None:
            return [compose(use.view, network.outputs[use.index])]
        forms = {self.state[use.node], self.free.get(use.node, self.state[use.node])}
        perms = [use.node.forms[k].inputs[use.index] for k in forms]
        return [compose(use.view, p) for p in perms if p is not None]

    def _charge(
        self, network: Network, root: Root, wanted: Perm, key: Callable[[Perm], Perm], cost: int
    ) -> bool:
        """Charges `cost` when some use wants what is not stored, permutations compared by `key`."""
        lacks = self._when(
            root.producer, lambda form: key(form.outputs[root.index]) != wanted, key(root.stored) != wanted
        )

        def asks(use: Use) -> tuple[int | None, int]:
            def wants(form: Rewrite) -> bool:
                given = form.inputs[use.index]
                return given is not None and key(compose(use.view, given)) == wanted

            public = network.outputs[use.index] if use.node is None else identity(len(use.view))
            return self._when(use.node, wants, key(compose(use.view, public)) == wanted)

        uses = [asks(use) for use in root.uses]
        ones = {x for x, value in uses if value == 1 and x is not None}
        zeros = {x for x, value in uses if value == 0 and x is not None}
        return self._charge_term(lacks, any(u == _ALWAYS for u in uses), ones, zeros, cost)

    def _charge_term(
        self, lacks: tuple[int | None, int], always: bool, ones: set[int], zeros: set[int], cost: int
    ) -> bool:
        """Charges `cost * [lacks] * [always or some of ones is 1 or some of zeros is 0]`."""
        if lacks == _NEVER or not (always or ones or zeros):
            return True
        x, when = lacks
        if always:
            if x is not None:
                (self.cut.cost_if_one if when else self.cut.cost_if_zero)(x, cost)
            return True
        if ones and zeros:
            return False  # not submodular
        if x is not None and bool(when) == bool(ones):
            return False  # not submodular
        some = self.cut.variable()
        if ones:
            for y in ones:
                self.cut.cost_if_zero_one(some, y, INFINITE)
            if x is None:
                self.cut.cost_if_one(some, cost)
            else:
                self.cut.cost_if_zero_one(x, some, cost)
        else:
            for y in zeros:
                self.cut.cost_if_zero_one(y, some, INFINITE)
            if x is None:
                self.cut.cost_if_zero(some, cost)
            else:
                self.cut.cost_if_zero_one(some, x, cost)
        return True

    def _when(
        self, node: Node | None, holds: Callable[[Rewrite], bool], fixed: bool
    ) -> tuple[int | None, int]:
        """Returns for which value of which variable a statement on a node's form holds."""
        if node is None:
            return _ALWAYS if fixed else _NEVER
        now = holds(node.forms[self.state[node]])
        then = holds(node.forms[self.free[node]]) if node in self.free else now
        if now == then:
            return _ALWAYS if now else _NEVER
        return self.variable[node], int(then)


_ALWAYS: tuple[int | None, int] = (None, 1)
_NEVER: tuple[int | None, int] = (None, 0)
