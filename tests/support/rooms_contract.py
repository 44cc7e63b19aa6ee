"""A contract for import-linter: the rooms of a package stand on floors, and import only from floors below."""

from __future__ import annotations

import graphlib
from collections.abc import Iterable, Iterator

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class RoomsContract(Contract):
    """Every import between rooms leads downstairs, and no modules of a room import one another in a circle.

    A room is a folder without the folders in it, so `data` may stand below `train.settings` and `data.survey` above.
    Its own contract for layers cannot say that: there a layer holds its folder with all that is in it.

    Options:
        root: the package.
        floors: names of its rooms below `root`, `.` for the root itself, from the top floor to the lowest. Rooms that
            share a floor, such as `compose | files`, do not import one another.
    """

    type_name = "rooms"

    root = fields.StringField()
    floors = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Look at every import between two rooms, at every room without a floor, and for a circle of modules."""
        rooms, floors = self._rooms(graph), self._floors()
        homeless = sorted(set(rooms.values()) - set(floors))
        wrong = [] if homeless else sorted(_upstairs(graph, rooms, floors))
        circle = _circle(graph, rooms)
        kept = not (homeless or wrong or circle)
        return ContractCheck(kept=kept, metadata={"homeless": homeless, "wrong": wrong, "circle": circle})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Name every wrong import with its line."""
        for room in check.metadata["homeless"]:
            output.print_error(f"{room} has no floor in [tool.importlinter]; put it on one.")
        for importer, line, imported in check.metadata["wrong"]:
            output.print_error(f"{importer}:{line} imports {imported}, which stands on no lower floor.")
        if check.metadata["circle"]:
            output.print_error(f"{' imports '.join(check.metadata['circle'])}: a circle.")

    def _floors(self) -> dict[str, int]:
        """Return the number of each room's floor, the top floor being 0."""
        names = ((number, name.strip()) for number, floor in enumerate(self.floors) for name in floor.split("|"))
        return {self.root if name == "." else f"{self.root}.{name}": number for number, name in names}

    def _rooms(self, graph: ImportGraph) -> dict[str, str]:
        """Return the room of every module of the package."""
        own = [module for module in graph.modules if f"{module}.".startswith(f"{self.root}.")]
        return {module: module if graph.find_children(module) else module.rpartition(".")[0] for module in own}


def _upstairs(graph: ImportGraph, rooms: dict[str, str], floors: dict[str, int]) -> Iterator[tuple[str, int, str]]:
    for importer, here in rooms.items():
        for imported in graph.find_modules_directly_imported_by(importer):
            there = rooms.get(imported, here)
            if here != there and floors[here] >= floors[there]:
                for detail in graph.get_import_details(importer=importer, imported=imported):
                    yield importer, detail["line_number"], imported


def _circle(graph: ImportGraph, modules: Iterable[str]) -> list[str]:
    """Return modules of which each imports the next, the first and last being the same; empty where there are none."""
    own = set(modules)
    imports = {module: graph.find_modules_directly_imported_by(module) & own for module in sorted(own)}
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        return list(reversed(error.args[1]))
    return []
