"""Hypernetwork Workbench as a library: networks and compositions of Stable Diffusion in plain PyTorch, without a WebUI.

    import hypernetwork_workbench as workbench

    network = workbench.load("night.pt")
    k_in, v_in = network.transform(context, strength=0.8)
    both = workbench.compose("night:0.7 + ink:0.3")
    with workbench.apply(pipe, both, networks={"night": network, "ink": workbench.load("ink.pt")}):
        picture = pipe("a lighthouse").images[0]
    one = workbench.merge([(network, 0.7), (workbench.load("ink.pt"), 0.3)])
    print("\n".join(workbench.describe("night.pt").lines()))

What has a name here stays as it is; what lies below, in the rooms of `hypernetwork_workbench.hypernetworks`, may move.
Every error that is raised on purpose is a `WorkbenchError`, whose text is one sentence.
"""

from hypernetwork_workbench.adapters.diffusers import apply, remove
from hypernetwork_workbench.hypernetworks.base.errors import WorkbenchError
from hypernetwork_workbench.hypernetworks.compose import Composition
from hypernetwork_workbench.hypernetworks.compose import parse as compose
from hypernetwork_workbench.hypernetworks.files import load, save
from hypernetwork_workbench.hypernetworks.merge import merge
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from hypernetwork_workbench.hypernetworks.report import describe

__all__ = [
    "Composition",
    "Hypernetwork",
    "Structure",
    "WorkbenchError",
    "apply",
    "compose",
    "describe",
    "load",
    "merge",
    "remove",
    "save",
]
__version__ = "0.1.0"
