// Translates our sentences that are made at run time; those that are always the same the WebUI translates itself.
// In the table that it gives the page, `{}` stands for what such a sentence takes in. The translation calls these
// {1}, {2} and so on, or {1:t} where one is words, to be translated in its turn. A text without words of its own, such
// as `{}: {}` or `{}, {} of {}`, joins others: there each {1:t} must have a translation, and {1:?} may have one.
(() => {
    const table = window.localization || {};
    const place = "[id^=hnw_], [id^=setting_hnw_], .settings-comment, .comments, #train_tabs > .tab-nav";
    const written = new WeakMap();
    const known = new Map(); // parts of a text come up again and again
    const patterns = Object.keys(table).filter((key) => key.includes("{}")).map((key) => ({
        translation: table[key],
        isJoint: !/\p{L}{3}/u.test(key),
        isSentence: key.endsWith("."),
        expression: new RegExp(`^${key.split("{}").map(escapeExpression).join("([^]*?)")}$`),
    }));
    if (!patterns.length) return;

    function escapeExpression(text) {
        return text.replace(/[.*+?^$()[\]{}|\\]/g, "\\$&");
    }

    // A pattern's translation with its fields filled in, and how many signs of the text it leaves as they are.
    function filled({translation, isJoint}, found) {
        let left = isJoint ? 3 : 0; // where both fit, a whole sentence goes before its parts
        let isWhole = true;
        const words = translation.replace(/\{(\d+)(:[t?])?\}/g, (_field, number, kind) => {
            const part = found[number];
            const translated = kind && (isWhole || !isJoint) && translate(part);
            if (kind === ":t" && part && !translated) isWhole = false;
            left += translated ? translated.left : part.length;
            return translated ? translated.words : part;
        });
        return isWhole || !isJoint ? {words, left} : undefined;
    }

    // The translation of a text as the table has it that leaves the least as it is; undefined where there is none.
    function fromTable(text) {
        if (Object.hasOwn(table, text)) return {words: table[text], left: 0};
        let best;
        for (const pattern of patterns) {
            const found = pattern.isSentence === text.endsWith(".") && pattern.expression.exec(text);
            const translated = found ? filled(pattern, found) : undefined;
            if (translated && (!best || translated.left < best.left)) best = translated;
        }
        return best;
    }

    // The same for a sentence that may stand with or without a capital and a full stop, or follow a comma.
    function translateSentence(sentence) {
        const plain = sentence.replace(/^[,;]\s*/, "");
        const small = plain.slice(0, 1).toLowerCase() + plain.slice(1);
        const found = fromTable(plain) ?? fromTable(small);
        if (found || !plain.endsWith(".")) return found;
        const inner = fromTable(plain.slice(0, -1)) ?? fromTable(small.slice(0, -1));
        return inner && {words: `${inner.words}。`, left: inner.left};
    }

    function translate(text) {
        const plain = text.trim();
        if (!known.has(plain)) {
            if (known.size > 2000) known.clear();
            known.set(plain, translateAnew(plain));
        }
        return known.get(plain);
    }

    function translateAnew(plain) {
        if (Object.hasOwn(table, plain)) return {words: table[plain], left: 0};
        if (!/\p{L}/u.test(plain) || plain.length > 1000) return undefined; // long texts are the user's own
        const sentences = plain.split(/(?<=\.)\s+(?=[\p{Lu}\d])/u);
        const translated = sentences.map(translateSentence);
        if (!translated.some(Boolean)) return undefined;
        return {
            words: translated.map((one, number) => one?.words ?? sentences[number]).join(""),
            left: translated.reduce((sum, one, number) => sum + (one?.left ?? sentences[number].length), 0),
        };
    }

    function translateNode(node) {
        const parent = node.parentElement;
        if (!parent?.closest(place) || ["SCRIPT", "STYLE", "TEXTAREA", "CODE"].includes(parent.nodeName)) return;
        if (written.get(node) === node.textContent) return; // our own change, seen by the observer
        const translated = translate(node.textContent);
        if (!translated) return;
        written.set(node, translated.words);
        if (translated.words !== node.textContent) node.textContent = translated.words;
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
