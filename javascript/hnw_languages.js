// Translates our sentences that are made at run time; those that are always the same the WebUI translates itself.
// In the table that it gives the page, `{}` stands for what such a sentence takes in. The translation calls these
// {1}, {2} and so on, or {1:t} where one is words, to be translated in its turn.
(() => {
    const table = window.localization || {};
    const place = "[id^=hnw_], [id^=setting_hnw_], .settings-comment";
    const words = (key) => key.replaceAll("{}", "").length;
    const patterns = Object.keys(table)
        .filter((key) => key.includes("{}"))
        .sort((a, b) => words(b) - words(a))
        .map((key) => ({
            translation: table[key],
            isJoint: !/\p{L}/u.test(key),
            expression: new RegExp(`^${key.split("{}").map(escapeExpression).join("([^]*?)")}$`),
        }));
    if (!patterns.length) return;

    function escapeExpression(text) {
        return text.replace(/[.*+?^$()[\]{}|\\]/g, "\\$&");
    }

    // The translation of a text as it stands in the table; undefined where there is none.
    function fromTable(text) {
        if (Object.hasOwn(table, text)) return table[text];
        for (const {expression, translation, isJoint} of patterns) {
            const found = expression.exec(text);
            if (!found) continue;
            let isKnown = !isJoint;
            const filled = translation.replace(/\{(\d+)(:t)?\}/g, (_field, number, isText) => {
                const translated = isText ? translate(found[number]) : undefined;
                isKnown ||= translated !== undefined;
                return translated ?? found[number];
            });
            if (isKnown) return filled;
        }
        return undefined;
    }

    // The same for a sentence that may stand with or without a capital and a full stop, or follow a comma.
    function translateSentence(sentence) {
        const plain = sentence.replace(/^[,;]\s*/, "");
        const found = fromTable(plain);
        if (found !== undefined || !plain.endsWith(".")) return found;
        const body = plain.slice(0, -1);
        const inner = fromTable(body) ?? fromTable(body.slice(0, 1).toLowerCase() + body.slice(1));
        return inner === undefined ? undefined : `${inner}。`;
    }

    function translate(text) {
        const plain = text.trim();
        if (!/\p{L}/u.test(plain)) return undefined;
        const sentences = plain.split(/(?<=\.)\s+(?=\p{Lu})/u);
        const translated = sentences.map(translateSentence);
        if (translated.every((one) => one === undefined)) return undefined;
        return translated.map((one, number) => one ?? sentences[number]).join("");
    }

    function translateNode(node) {
        const parent = node.parentElement;
        if (!parent?.closest(place) || ["SCRIPT", "STYLE", "TEXTAREA", "CODE"].includes(parent.nodeName)) return;
        const translated = translate(node.textContent);
        if (translated !== undefined) node.textContent = translated;
    }

    onUiUpdate((changes) => changes.forEach((change) => change.addedNodes.forEach((added) => {
        const nodes = document.createTreeWalker(added, NodeFilter.SHOW_TEXT);
        if (added.nodeType === Node.TEXT_NODE) translateNode(added);
        while (nodes.nextNode()) translateNode(nodes.currentNode);
    })));
})();
