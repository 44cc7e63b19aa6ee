"""What `pip install .` installs: the core and the adapters, below one package; nothing of the extension.

The folders stand at the root because the WebUI wants them there; installed they are `hypernetwork_workbench.NAME`.
"""

from setuptools import find_packages, setup

NAME = "hypernetwork_workbench"
ROOMS = ("hypernetworks", "adapters")

folders = [folder for room in ROOMS for folder in (room, *(f"{room}.{each}" for each in find_packages(room)))]

setup(
    packages=[NAME, *(f"{NAME}.{folder}" for folder in folders)],
    package_dir={NAME: "library", **{f"{NAME}.{room}": room for room in ROOMS}},
    package_data={
        NAME: ["py.typed"],
        f"{NAME}.hypernetworks.pages": ["templates/*"],
        f"{NAME}.adapters.comfyui": ["web/*"],
    },
    py_modules=[],
)
