// The browser of folders beside the fields for paths: opened with a mark at the field, led with mouse or keyboard.

(() => {
    const PICTURE = '<svg width="14" height="14" viewBox="0 0 16 16" fill="none" stroke="currentColor" '
        + 'stroke-width="1.4"><path d="M1.5 3.5h4l1.5 2h7.5v7.5h-13z"/></svg>';
    let browser = null; // the dialog that is open
    let field = null; // the field it is for
    let place = ""; // the folder that it shows
    let wanted = "";

    const isOfLines = () => field.tagName === "TEXTAREA" && field.closest(".hnw-path").querySelector("textarea").rows > 1;

    function ask(path) {
        wanted = path;
        browser.closest(".hnw-frame").querySelector("[id$=_browse]").click();
    }

    function take(path) {
        const kind = field.tagName === "TEXTAREA" ? HTMLTextAreaElement : HTMLInputElement;
        const before = isOfLines() && field.value.trim() ? `${field.value.trimEnd()}\n` : "";
        Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(field, before + path);
        for (const name of ["input", "change"]) field.dispatchEvent(new Event(name, {bubbles: true}));
        browser.close();
        field.focus();
    }

    function entry(name, act, isFolder) {
        const line = document.createElement("li");
        const button = document.createElement("button");
        button.type = "button";
        button.innerHTML = isFolder ? PICTURE : "";
        button.append(` ${name}`);
        button.addEventListener("click", act);
        line.append(button);
        return line;
    }

    window.hnwBrowseWanted = () => [wanted];
    window.hnwBrowseShow = (answer) => {
        if (!browser?.open) return [];
        const found = JSON.parse(answer);
        const list = browser.querySelector("ul");
        place = found.place;
        browser.querySelector(".hnw-place").textContent = place;
        browser.querySelector(".hnw-said").textContent = found.note;
        browser.querySelector(".hnw-take").disabled = !place;
        browser.querySelector(".hnw-count").hidden = !found.pictures;
        browser.querySelector(".hnw-count span").textContent = found.pictures;
        const up = found.above === null ? [] : [entry("..", () => ask(found.above), true)];
        list.replaceChildren(
            ...up,
            ...found.folders.map((one) => entry(one.name, () => ask(one.path), true)),
            ...found.files.map((one) => entry(one.name, () => take(one.path), false)),
        );
        (list.querySelector("button") ?? browser.querySelector(".hnw-leave")).focus();
        return [];
    };

    function open(block) {
        browser = block.closest(".hnw-frame").querySelector(".hnw-browser");
        field = block.querySelector("textarea, input");
        browser.showModal();
        ask(isOfLines() ? "" : field.value);
    }

    function step(by) {
        const buttons = Array.from(browser.querySelectorAll("ul button"));
        const now = buttons.indexOf(document.activeElement);
        buttons[Math.max(0, Math.min(buttons.length - 1, now + by))]?.focus();
    }

    document.addEventListener("keydown", (event) => {
        if (!browser?.open || event.isComposing) return;
        const act = {
            ArrowDown: () => step(1),
            ArrowUp: () => step(-1),
            Backspace: () => browser.querySelector("ul button")?.textContent === " .." && browser.querySelector("ul button").click(),
        }[event.key];
        if (!act) return;
        act();
        event.preventDefault();
    });

    onUiLoaded(() => {
        for (const dialog of gradioApp().querySelectorAll(".hnw-browser")) {
            dialog.querySelector(".hnw-take").addEventListener("click", () => take(place));
            dialog.querySelector(".hnw-leave").addEventListener("click", () => dialog.close());
            const title = dialog.querySelector("h4").textContent;
            for (const block of dialog.closest(".hnw-frame").querySelectorAll(".hnw-path.block")) {
                window.hnwAddMark(block, "hnw-choose", title, PICTURE, () => open(block));
            }
        }
    });
})();
