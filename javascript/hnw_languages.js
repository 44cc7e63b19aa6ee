// Translates our sentences that are made at run time; those that are always the same the WebUI translates itself.
// In the table that it gives the page, `{}` stands for what such a sentence takes in. The translation calls these
// {1}, {2} and so on, or {1:t} where one is words, which must have a translation in their turn, or {1:?} where one is
// words or a name, or {1:n} where one is a number. Where a part of a sentence has none, or is no number, all of it stays
// English: half a sentence is none. A text without words of its own, such as `{}: {}` or `{}, {} of {}`, joins others.
(() => {
    const table = window.localization || {};
    const place = "[id^=hnw_], [id^=setting_hnw_], .settings-comment, .comments, #train_tabs > .tab-nav";
    // Words that sentences have, and names of files and networks hardly ever.
    const SENTENCE = new RegExp(
        "(?:^|[\\s:;,(])(?:is|are|was|were|be|it|its|has|have|had|holds?|lacks?|needs?|means?|gives?|pass(?:es)?|does" +
        "|not|cannot|can|may|must|will|would|there|which|no|nothing)(?:[\\s:;,.)]|$)",
    );
    const REASON = /^(.{1,200}?) ((?:is|are|has|must|cannot|needs|names|begins|holds|ends|belongs|leaves|takes|means) .+)$/s;
    const NAMES = ".hnw-networks li, .hnw-names li"; // networks, tags and the like, whatever they are called
    const ATTRIBUTES = ["title", "placeholder", "aria-label", "alt"];
    const SPOKEN = ATTRIBUTES.map((name) => `[${name}]`).join();
    const written = new WeakMap();
    const known = new Map(); // parts of a text come up again and again
    const patterns = Object.keys(table).filter((key) => key.includes("{}")).map((key) => ({
        translation: table[key],
        isJoint: !/\p{L}{3}/u.test(key),
        isSentence: key.endsWith("."),
        expression: expressionOf(key, table[key]),
    }));
    window.hnwTranslated = (text) => translate(text)?.words ?? text;
    if (!patterns.length) return;

    function expressionOf(key, translation) {
        let number = 0;
        const field = () => (translation.includes(`{${++number}:n}`) ? "([^\\p{L}]*?\\d[^]*?)" : "([^]*?)");
        const [start, ...rest] = key.split("{}").map(escapeExpression);
        return new RegExp(`^${rest.reduce((whole, piece) => whole + field() + piece, start)}$`, "u");
    }

    function escapeExpression(text) {
        return text.replace(/[.*+?^$()[\]{}|\\/]/g, "\\$&");
    }

    // A pattern's translation with its fields filled in, and how many signs of the text it leaves as they are;
    // undefined where a part that is words has no translation.
    function filled({translation, isJoint}, found) {
        let left = isJoint ? 3 : 0; // where both fit, a whole sentence goes before its parts
        let isWhole = true;
        let hasWords = !isJoint;
        const words = translation.replace(/\{(\d+)(:[t?n])?\}/g, (_field, number, kind) => {
            const part = found[number];
            const translated = kind && isWhole ? translate(part) : undefined;
            if (translated || kind === ":n") hasWords = true;
            if (!translated && isUntranslated(part, kind)) isWhole = false;
            left += translated ? translated.left : part.length;
            return translated ? translated.words : part;
        });
        return isWhole && hasWords ? {words, left} : undefined;
    }

    // Whether a part without a translation is words: of a name or a value, only what has the form of a sentence.
    function isUntranslated(part, kind) {
        if (kind === ":n") return /\p{L}{4}/u.test(part); // more than a unit
        if (kind === ":t") return /\p{L}/u.test(part.replace(/\de[+-]?\d/g, "")); // 1e-05 is a number
        const plain = part.replace(/“[^”]*”|'[^']*'|"[^"]*"|«[^»]*»/g, "");
        return /[.:;] \p{L}/u.test(plain) || (/\p{L}\S* \S+ \S/u.test(plain) && SENTENCE.test(plain));
    }

    // The translation of a text as the table has it that leaves the least as it is; undefined where there is none.
    function fromTable(text) {
        if (Object.hasOwn(table, text)) return {words: table[text], left: 0};
        let best;
        for (const pattern of patterns) {
            const found = pattern.isSentence === text.endsWith(".") && pattern.expression.exec(text);
            const translated = found ? filled(pattern, found) : undefined;
            best = better(best, translated);
        }
        return best;
    }

    function better(one, other) {
        return other && (!one || other.left < one.left) ? other : one;
    }

    // The same for a sentence that may stand with or without a capital and a full stop, or follow a comma.
    function translateSentence(sentence) {
        const plain = sentence.replace(/^[,;]\s*/, "");
        const small = plain.slice(0, 1).toLowerCase() + plain.slice(1);
        // A list at the end of a reason is no reason to take the sentence apart at its commas.
        const found = better(fromTable(plain) ?? fromTable(small), ofSubject(plain));
        if (found || !plain.endsWith(".")) return found;
        const inner = fromTable(plain.slice(0, -1)) ?? fromTable(small.slice(0, -1));
        return inner && {words: `${inner.words}。`, left: inner.left};
    }

    // The same for a reason in front of which the code put what it is about, such as a path or a name.
    function ofSubject(sentence) {
        const [, subject, reason] = REASON.exec(sentence) ?? [];
        const translated = subject && !isUntranslated(subject) && fromTable(reason);
        if (!translated) return undefined;
        return {words: `${translate(subject)?.words ?? subject}：${translated.words}`, left: translated.left + subject.length};
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
        const translated = sentencesOf(plain).map(translateSentence);
        if (!translated.every(Boolean)) return translated.length > 1 ? translateSentence(plain) : undefined;
        const left = translated.reduce((sum, one) => sum + one.left, 0);
        return {words: translated.map((one) => one.words).join(""), left};
    }

    function sentencesOf(text) {
        return text.split(/(?<=\.)\s+(?=[\p{Lu}\d])/u);
    }

    // The sentences of a text that have a translation in it, each as a whole.
    function translateSome(text) {
        const sentences = sentencesOf(text.trim());
        const translated = sentences.map((sentence) => translate(sentence)?.words);
        return translated.some(Boolean) ? sentences.map((one, number) => translated[number] ?? one).join(" ") : undefined;
    }

    function translateNode(node) {
        const parent = node.parentElement;
        if (!parent?.closest(place) || parent.closest(NAMES) || ["SCRIPT", "STYLE", "TEXTAREA", "CODE"].includes(parent.nodeName)) return;
        if (written.get(node) === node.textContent) return; // our own change, seen by the observer
        const words = translate(node.textContent)?.words ?? translateSome(node.textContent);
        if (!words) return;
        written.set(node, words);
        if (words !== node.textContent) node.textContent = words;
    }

    // What is said or shown of an element beside its text, which the WebUI translates in part or not at all.
    function translateAttributes(element) {
        if (!element.closest(place) || element.closest(NAMES)) return;
        for (const name of ATTRIBUTES) {
            const words = element.hasAttribute(name) && translate(element.getAttribute(name))?.words;
            if (words && words !== element.getAttribute(name)) element.setAttribute(name, words);
        }
    }

    function translateAll(node) {
        if (node.nodeType === Node.ELEMENT_NODE) {
            for (const element of [node, ...node.querySelectorAll(SPOKEN)]) translateAttributes(element);
        }
        const texts = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
        if (node.nodeType === Node.TEXT_NODE) translateNode(node);
        while (texts.nextNode()) translateNode(texts.currentNode);
    }

    // The WebUI hears of new elements only; a text of ours may also change within its element.
    const observer = new MutationObserver((changes) => {
        for (const change of changes) {
            if (change.type === "characterData") translateNode(change.target);
            if (change.type === "attributes") translateAttributes(change.target);
            change.addedNodes.forEach(translateAll);
        }
    });
    document.addEventListener("DOMContentLoaded", () => {
        const changes = {childList: true, subtree: true, characterData: true, attributeFilter: ATTRIBUTES};
        observer.observe(document.body, changes);
    });
})();
