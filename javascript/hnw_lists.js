// Our lists of networks are read again when a person comes back to the page, perhaps from copying a file, opens another
// tab, or opens a list.

const HNW_LISTS = [
    ...["train", "merge", "inspect", "picker"].map((name) => `hnw_${name}_refresh`),
    "hnw_picker_refresh_img2img",
];

(() => {
    const LOOK_MS = 250;
    const button = (id) => gradioApp().querySelector(`#${id}`);

    function readInSight() {
        // What is not in sight is read when its tab is opened.
        for (const id of HNW_LISTS) if (button(id)?.offsetParent) button(id).click();
    }

    window.addEventListener("focus", readInSight);
    onUiTabChange(readInSight);

    // Before a list is opened: what came while somebody types in it would take the text away.
    function readBefore({target, relatedTarget}) {
        const list = target.closest?.(".hnw-networks");
        if (!list || list.contains(relatedTarget) || list.contains(document.activeElement)) return;
        const place = list.closest(".hnw-generation, [id^=hnw_][id$=_tab]");
        HNW_LISTS.map(button).find((one) => one && place?.contains(one))?.click();
    }

    document.addEventListener("pointerover", readBefore);

    const choicesOf = (id) => {
        const found = window.gradio_config?.components?.find(({props}) => props?.elem_id === id);
        return JSON.stringify(found?.props.choices);
    };

    function reopen(input) {
        input.blur();
        input.focus();
    }

    // Choices that come while a list is open are shown by gradio 3 after the next key, and by newer versions (Forge) only
    // where they have the text in it. Once a person types, the list is left as it is.
    function watchOpen({target: input}) {
        const list = input.closest?.(".hnw-networks");
        if (!list) return;
        const text = input.value;
        const choices = choicesOf(list.id);
        const timer = setInterval(() => {
            if (choicesOf(list.id) !== choices && input.value === text) reopen(input);
        }, LOOK_MS);
        const shown = () => list.querySelectorAll("li").length;
        let most = shown();
        const watch = new MutationObserver(() => {
            most = Math.max(most, shown());
            if (!shown() || shown() === most || input.value !== text) return;
            watch.disconnect();
            reopen(input);
        });
        watch.observe(list, {childList: true, subtree: true});
        const end = () => {
            clearInterval(timer);
            watch.disconnect();
        };
        input.addEventListener("blur", end, {once: true});
    }

    document.addEventListener("focusin", watchOpen);
})();
