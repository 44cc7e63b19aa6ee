"""A tagger in the form of WD14 that is small enough to compute by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

#: Names and categories of its tags, and by which parts blue, green, red and a constant make their probabilities.
TAGS = {
    "explicit": (9, (0, 0, 0, 1)),
    "sky": (0, (0, 0, 0, 0.1)),
    "long_hair": (0, (1, 0, 0, 0)),
    "^_^": (0, (0, 0, 0, 0.4)),
    "ink_(brush)": (4, (0, 1, 0, 0.1)),
    "red": (0, (0, 0, 1, 0)),
}


def write_tagger(folder: Path, side: int | str = 4, channels: int = 3) -> Path:
    """Write `model.onnx` and `selected_tags.csv`; return the first.

    The probability of a tag is its constant and its share of each mean colour of the picture, 0 to 1.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = np.array([parts for _, parts in TAGS.values()], dtype=np.float32).T
    shares = weights[np.arange(channels)] / 255
    constants = {"weights": shares, "constant": weights[3], "axes": np.array([1, 2])}
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["picture", "axes"], ["colour"], keepdims=0),
            helper.make_node("MatMul", ["colour", "weights"], ["shares"]),
            helper.make_node("Add", ["shares", "constant"], ["found"]),
        ],
        "tagger",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["N", side, side, channels])],
        [helper.make_tensor_value_info("found", TensorProto.FLOAT, ["N", len(TAGS)])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path = folder / "model.onnx"
    onnx.save(model, str(path))
    lines = [f"{number},{name},{category},1" for number, (name, (category, _)) in enumerate(TAGS.items())]
    (folder / "selected_tags.csv").write_text("\n".join(["tag_id,name,category,count", *lines]), encoding="utf-8")
    return path
