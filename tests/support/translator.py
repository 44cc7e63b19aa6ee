"""The page's own translator, `hnw_languages.js`, run by Node on texts instead of on a page."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from tests import sources

IS_HERE = shutil.which("node") is not None
_SCRIPT = sources.ROOT / "javascript" / "hnw_languages.js"
_STAND_INS = """
const {table, texts, script} = JSON.parse(require("fs").readFileSync(0, "utf8"));
globalThis.window = {localization: table};
globalThis.Node = {TEXT_NODE: 3};
globalThis.NodeFilter = {SHOW_TEXT: 4};
globalThis.document = {addEventListener() {}, createTreeWalker: () => ({nextNode: () => null})};
let change;
globalThis.MutationObserver = class { constructor(changed) { change = changed; } };
(0, eval)(script);
const answers = texts.map((text) => {
    const closest = (asked) => asked.includes("[id^=hnw_]"); // in a tab of ours, and in no list of names
    const target = {nodeType: 3, parentElement: {closest, nodeName: "DIV"}, textContent: text};
    change([{type: "characterData", target, addedNodes: []}]);
    return target.textContent;
});
process.stdout.write(JSON.stringify(answers));
"""


def translate(table: Mapping[str, str], texts: Sequence[str]) -> list[str]:
    """Return what a page with this table shows in place of each text."""
    given = json.dumps({"table": table, "texts": list(texts), "script": _SCRIPT.read_text(encoding="utf-8")})
    done = subprocess.run(
        ["node", "-e", _STAND_INS], input=given, capture_output=True, check=True, encoding="utf-8", timeout=240
    )
    return json.loads(done.stdout)
