// The head of a long form: contents, a search over its settings, a short view; and at each field a mark that folds its
// help, and one that brings back what it started with.

(() => {
    const VIEW = "hnw_view";
    const LONG = 50; // letters of a help that is folded; a letter of Chinese or Japanese counts twice
    const every = (root, selector) => Array.from(root.querySelectorAll(selector));
    const plain = (text) => text.normalize("NFKC").toLowerCase();
    const blockOf = (id) => gradioApp().querySelector(`#${id}`);
    const cellOf = (block) => block.closest(".hnw-field") ?? block;
    const helpOf = (block) => block.querySelector(".has-info + div") ?? block.querySelector(":scope > div:nth-child(2):not([id])");

    function isOpen(fold) {
        return fold.querySelector(":scope > .label-wrap")?.classList.contains("open");
    }

    function setOpen(fold, wanted) {
        if (Boolean(isOpen(fold)) !== wanted) fold.querySelector(":scope > .label-wrap")?.click();
    }

    // Marks what holds no field that was found; `cells` has all fields, with whether each was found.
    function sift(element, cells) {
        let isFound = cells.get(element) ?? false;
        if (!cells.has(element)) for (const child of element.children) isFound = sift(child, cells) || isFound;
        element.toggleAttribute("data-miss", !isFound);
        return isFound;
    }

    function search(form, text) {
        const words = plain(text).split(/\s+/).filter(Boolean);
        const folds = every(form, "[data-fold]").map((one) => blockOf(one.dataset.fold)).filter(Boolean);
        form.toggleAttribute("data-search", words.length > 0);
        const cells = new Map();
        for (const entry of every(form, "[data-field]")) {
            const block = blockOf(entry.dataset.field);
            const all = block && plain(`${entry.dataset.words} ${block.textContent}`);
            if (block) cells.set(cellOf(block), words.every((word) => all.includes(word)));
        }
        for (const child of form.children) if (!child.querySelector(".hnw-contents")) sift(child, cells);
        for (const fold of folds) {
            every(fold, ":scope > .label-wrap, :scope > .label-wrap *").forEach((one) => one.removeAttribute("data-miss"));
            if (words.length && !fold.hasAttribute("data-miss") && !isOpen(fold)) {
                fold.dataset.opened = "";
                setOpen(fold, true);
            } else if (!words.length && fold.dataset.opened !== undefined) {
                delete fold.dataset.opened;
                setOpen(fold, false);
            }
        }
        form.querySelector(".hnw-none").hidden = !words.length || Array.from(cells.values()).some(Boolean);
    }

    function show(view) {
        for (const form of every(gradioApp(), ".hnw-form")) form.dataset.view = view;
        for (const button of every(gradioApp(), ".hnw-view")) {
            button.setAttribute("aria-pressed", String(button.dataset.view === view));
        }
    }

    function goTo(form, id) {
        const box = form.querySelector(".hnw-search");
        if (box.value) {
            box.value = "";
            search(form, "");
        }
        const fold = blockOf(id);
        setOpen(fold, true);
        setTimeout(() => fold.scrollIntoView({block: "start", behavior: "smooth"}), 50);
    }

    // The place for the marks of a field, in its upper corner.
    function marksOf(block) {
        let marks = block.querySelector(":scope > .hnw-marks");
        if (!marks) {
            marks = document.createElement("div");
            marks.className = "hnw-marks";
            block.append(marks);
            block.dataset.marked = "";
        }
        return marks;
    }

    function mark(name, title, content, act) {
        const button = document.createElement("button");
        button.type = "button";
        button.className = `hnw-mark ${name}`;
        button.title = title;
        button.setAttribute("aria-label", title);
        button.innerHTML = content;
        button.addEventListener("click", (event) => {
            event.preventDefault();
            act(button);
        });
        return button;
    }

    function hasLongHelp(block) {
        const signs = Array.from(helpOf(block)?.textContent ?? "");
        return signs.reduce((sum, sign) => sum + (sign > "\u2e80" ? 2 : 1), 0) >= LONG;
    }

    function foldHelp(block, title) {
        const help = helpOf(block);
        if (!help?.textContent) return undefined;
        help.hidden = true;
        const button = mark("hnw-help", title, "?", () => {
            help.hidden = !help.hidden;
            button.setAttribute("aria-expanded", String(!help.hidden));
        });
        button.setAttribute("aria-expanded", "false");
        return button;
    }

    window.hnwAddMark = (block, ...how) => marksOf(block).prepend(mark(...how));

    let resetId = "";
    window.hnwResetField = (_id, ...given) => [resetId, ...given];

    function equip(form) {
        const [helpTitle, resetTitle] = every(form, ".hnw-words span").map((one) => one.textContent);
        const blocks = every(form, "[data-field]").map((entry) => blockOf(entry.dataset.field)).filter(Boolean);
        // Fields side by side fold their help together, so that they stand at one height.
        const rowOf = (block) => cellOf(block).parentElement;
        const folded = new Set(blocks.filter(hasLongHelp).map(rowOf));
        for (const block of blocks) {
            if (block.querySelector(":scope > .hnw-marks > .hnw-reset")) continue;
            const reset = mark("hnw-reset", resetTitle, "↺", () => {
                resetId = block.id;
                form.querySelector("[id$=_reset]").click();
            });
            const help = folded.has(rowOf(block)) ? foldHelp(block, helpTitle) : undefined;
            marksOf(block).append(...[reset, help].filter(Boolean));
        }
        for (const one of every(form, "[data-fold]")) blockOf(one.dataset.fold)?.setAttribute("data-in-fold", "");
    }

    // The server tells which fields are not as they started.
    function markChanged(form) {
        const ids = new Set(every(form, "[data-changed]").map((one) => one.dataset.changed));
        for (const entry of every(form, "[data-field]")) {
            blockOf(entry.dataset.field)?.toggleAttribute("data-own", ids.has(entry.dataset.field));
        }
        for (const one of every(form, "[data-fold]")) {
            const count = every(blockOf(one.dataset.fold), "[data-own]").length;
            one.querySelector("b").textContent = count ? ` ${count}` : "";
        }
    }

    document.addEventListener("input", (event) => {
        if (event.target.matches?.(".hnw-search")) search(event.target.closest(".hnw-form"), event.target.value);
    });
    document.addEventListener("click", (event) => {
        const button = event.target.closest?.(".hnw-contents button");
        if (!button) return;
        const form = button.closest(".hnw-form");
        if (button.dataset.fold) goTo(form, button.dataset.fold);
        else {
            localStorage.setItem(VIEW, button.dataset.view);
            show(button.dataset.view);
        }
    });

    onUiLoaded(() => {
        for (const form of every(gradioApp(), ".hnw-form").filter((one) => one.querySelector(".hnw-contents"))) {
            equip(form);
            const list = form.querySelector("[id$=_changed]");
            new MutationObserver(() => markChanged(form)).observe(list, {childList: true, subtree: true, attributes: true});
            markChanged(form);
        }
        show(localStorage.getItem(VIEW) ?? "all");
    });
})();
