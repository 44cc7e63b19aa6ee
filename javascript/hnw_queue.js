// The list of jobs in the tab Queue: read again while it is in sight, with the same jobs chosen as before.
(() => {
    const EVERY_MS = 2000;
    const chosen = new Set();
    let focused = null;

    const list = () => gradioApp().querySelector("#hnw_queue_list");
    const boxes = () => Array.from(list()?.querySelectorAll(".hnw-run-choice") ?? []);

    // The numbers of the chosen jobs, one a line.
    window.hnwChosenJobs = (_ids, ...values) => {
        const ids = boxes().filter((box) => box.checked).map((box) => box.value);
        return [ids.join("\n"), ...values];
    };

    function restore() {
        const here = boxes();
        for (const box of here) box.checked = chosen.has(box.value);
        const lost = document.activeElement === document.body;
        if (lost && focused) here.find((box) => box.value === focused)?.focus({preventScroll: true});
    }

    onUiLoaded(() => {
        const root = list();
        if (!root) return;
        root.addEventListener("change", ({target}) => chosen[target.checked ? "add" : "delete"](target.value));
        root.addEventListener("focusin", ({target}) => {
            focused = target.value ?? null;
        });
        let isPressed = false; // the list stays as it is while somebody presses into it
        document.addEventListener("pointerdown", ({target}) => {
            isPressed = root.contains(target);
            if (!isPressed) focused = null;
        });
        document.addEventListener("pointerup", () => {
            isPressed = false;
        });
        new MutationObserver(restore).observe(root, {childList: true, subtree: true});
        setInterval(() => {
            if (root.offsetParent && !document.hidden && !isPressed) gradioApp().querySelector("#hnw_queue_refresh").click();
        }, EVERY_MS);
    });
})();
