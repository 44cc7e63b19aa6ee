// Shows in the language of the page what stands in a closed list of ours. gradio keeps a choice by its English value in
// the field itself and compares it with that, so the field goes on giving the value to whoever reads it.
(() => {
    const table = window.localization || {};
    const FIELDS = "[id^=hnw_] .secondary-wrap input, [id^=setting_hnw_] .secondary-wrap input";
    // Of lists of names only what is no name is translated, such as a choice that stands for all of them.
    const NAMES = ".hnw-networks, .hnw-names";
    const native = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value");
    if (!Object.keys(table).length) return;

    function wordsFor(field, value) {
        if (field.closest(".hnw-networks") || !value) return value;
        return field.closest(NAMES) ? table[value] ?? value : window.hnwTranslated(value);
    }

    function equip(field) {
        let value = native.get.call(field);
        let words = value;
        const show = (given) => {
            value = given ?? "";
            words = wordsFor(field, value);
            native.set.call(field, words);
        };
        Object.defineProperty(field, "value", {
            configurable: true,
            get() {
                const typed = native.get.call(field);
                return typed === words ? value : typed;
            },
            set: show,
        });
        show(value);
        // What is typed takes the place of the translation, by which gradio would find no choice.
        field.addEventListener("focus", () => words !== value && field.select());
        field.addEventListener("blur", () => show(field.value));
    }

    const equipAll = (root) => root.querySelectorAll(FIELDS).forEach((field) => Object.hasOwn(field, "value") || equip(field));
    new MutationObserver((changes) => {
        for (const {addedNodes} of changes) {
            for (const node of addedNodes) if (node.nodeType === Node.ELEMENT_NODE) equipAll(node.parentElement ?? node);
        }
    }).observe(document, {childList: true, subtree: true});
})();
