// Shows the page in another language: the server puts the table from English texts into `window.localization`.
(() => {
    const table = window.localization || {};
    if (!Object.keys(table).length) return;

    function translate(element) {
        for (const name of ["title", "placeholder"]) {
            if (Object.hasOwn(table, element[name])) element[name] = table[element[name]];
        }
    }

    function translateText(node) {
        const text = node.textContent.trim();
        const isCode = ["SCRIPT", "STYLE", "TEXTAREA"].includes(node.parentElement?.nodeName);
        if (!isCode && Object.hasOwn(table, text)) node.textContent = table[text];
    }

    function translateAll(root) {
        if (root.nodeType === Node.TEXT_NODE) return translateText(root);
        if (root.nodeType !== Node.ELEMENT_NODE) return;
        [root, ...root.querySelectorAll("[title], [placeholder]")].forEach(translate);
        const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) translateText(texts.currentNode);
    }

    onUiUpdate((changes) => changes.forEach((change) => change.addedNodes.forEach(translateAll)));
    document.addEventListener("DOMContentLoaded", () => translateAll(document.body));
})();
