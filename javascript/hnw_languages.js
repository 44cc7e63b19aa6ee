// Translates our sentences that are made at run time; those that are always the same the WebUI translates itself.
// In the table that it gives the page, `{}` stands for what such a sentence takes in. The translation calls these
// {1}, {2} and so on, or {1:t} where one is words, to be translated in its turn. A text without words of its own, such
// as `{}: {}` or `{}, {} of {}`, joins others: there each {1:t} must have a translation, and {1:?} may have one.
(() => {
    const table = window.localization || {};
    const place = "[id^=hnw_], [id^=setting_hnw_], .settings-comment";
    const written = new WeakMap();
    const patterns = Object.keys(table)
        .filter((key) => key.includes("{}"))
        .sort((a, b) => rank(b) - rank(a))
        .map((key) => ({
            translation: table[key],
            isJoint: isJoint(key),
            isSentence: key.endsWith("."),
            expression: new RegExp(`^${key.split("{}").map(escapeExpression).join("([^]*?)")}$`),
        }));
    if (!patterns.length) return;

    function isJoint(key) {
        return !/\p{L}{3}/u.test(key);
    }

    // What says most is tried first, after a colon or semicolon has parted the text; commas part what is left.
    function rank(key) {
        if (isJoint(key)) return /[:;]/.test(key) ? Infinity : 12;
        return key.replaceAll("{}", "").length;
    }

    function escapeExpression(text) {
        return text.replace(/[.*+?^$()[\]{}|\\]/g, "\\$&");
    }

    // The translation of a text as it stands in the table; undefined where there is none.
    function fromTable(text) {
        if (Object.hasOwn(table, text)) return table[text];
        for (const {expression, translation, isJoint, isSentence} of patterns) {
            const found = isSentence === text.endsWith(".") && expression.exec(text);
            if (!found) continue;
            let isWhole = true;
            const filled = translation.replace(/\{(\d+)(:[t?])?\}/g, (_field, number, kind) => {
                const translated = kind ? translate(found[number]) : undefined;
                if (kind === ":t" && found[number] && translated === undefined) isWhole = false;
                return translated ?? found[number];
            });
            if (isWhole || !isJoint) return filled;
        }
        return undefined;
    }

    // The same for a sentence that may stand with or without a capital and a full stop, or follow a comma.
    function translateSentence(sentence) {
        const plain = sentence.replace(/^[,;]\s*/, "");
        const small = plain.slice(0, 1).toLowerCase() + plain.slice(1);
        const found = fromTable(plain) ?? fromTable(small);
        if (found !== undefined || !plain.endsWith(".")) return found;
        const inner = fromTable(plain.slice(0, -1)) ?? fromTable(small.slice(0, -1));
        return inner === undefined ? undefined : `${inner}。`;
    }

    function translate(text) {
        const plain = text.trim();
        if (Object.hasOwn(table, plain)) return table[plain];
        if (!/\p{L}/u.test(plain)) return undefined;
        const sentences = plain.split(/(?<=\.)\s+(?=[\p{Lu}\d])/u);
        const translated = sentences.map(translateSentence);
        if (translated.every((one) => one === undefined)) return undefined;
        return translated.map((one, number) => one ?? sentences[number]).join("");
    }

    function translateNode(node) {
        const parent = node.parentElement;
        if (!parent?.closest(place) || ["SCRIPT", "STYLE", "TEXTAREA", "CODE"].includes(parent.nodeName)) return;
        if (written.get(node) === node.textContent) return; // our own change, seen by the observer
        const translated = translate(node.textContent);
        if (translated === undefined) return;
        written.set(node, translated);
        if (translated !== node.textContent) node.textContent = translated;
    }

    function translateAll(node) {
        const texts = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
        if (node.nodeType === Node.TEXT_NODE) translateNode(node);
        while (texts.nextNode()) translateNode(texts.currentNode);
    }

    // The WebUI hears of new elements only; a text of ours may also change within its element.
    const observer = new MutationObserver((changes) => {
        for (const change of changes) {
            if (change.type === "characterData") translateNode(change.target);
            change.addedNodes.forEach(translateAll);
        }
    });
    document.addEventListener("DOMContentLoaded", () => {
        observer.observe(document.body, {childList: true, subtree: true, characterData: true});
    });
})();
