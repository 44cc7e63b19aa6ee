// Shows in the node what "Inspect Hypernetwork" tells of a file: of a text that a node gives, the page shows nothing.
import { app } from "../../scripts/app.js";
import { ComfyWidgets } from "../../scripts/widgets.js";

const NODE = "HypernetworkWorkbenchInspect";
const SIZE = [420, 320];

function reportOf(node) {
  const there = node.widgets?.find((widget) => widget.name === "report");
  if (there) return there;
  const widget = ComfyWidgets.STRING(node, "report", ["STRING", { multiline: true }], app).widget;
  if (widget.inputEl) widget.inputEl.readOnly = true;
  // Neither a field of the node nor a part of the workflow.
  widget.serialize = false;
  widget.options = { ...widget.options, serialize: false };
  node.setSize([Math.max(node.size[0], SIZE[0]), Math.max(node.size[1], SIZE[1])]);
  return widget;
}

app.registerExtension({
  name: "hypernetwork-workbench.inspect",
  beforeRegisterNodeDef(nodeType, nodeData) {
    if (nodeData.name !== NODE) return;
    const before = nodeType.prototype.onExecuted;
    nodeType.prototype.onExecuted = function (output) {
      before?.apply(this, arguments);
      reportOf(this).value = (output.text ?? []).join("\n");
      app.graph.setDirtyCanvas(true, false);
    };
  },
});
