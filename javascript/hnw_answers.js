// What a button of ours answers is in sight: where it is not, the page goes there once the answer has come, unless the
// person has gone on meanwhile. The focus stays where it is.

(() => {
    const STATUS = ".prose[id^=hnw_][id$=_status]"; // without gradio's note on its queue, which stands beside it
    // The buttons that answer with more than a message: where that stands.
    const RESULTS = {
        hnw_create_save: "hnw_create_saved",
        hnw_dataset_look_button: "hnw_dataset_overview",
        hnw_inspect_compare_button: "hnw_inspect_comparison",
        hnw_merge_pictures_show: "hnw_merge_pictures_gallery",
        hnw_merge_pictures_show_composition: "hnw_merge_pictures_gallery",
        hnw_merge_predict: "hnw_merge_methods",
        hnw_queue_show: "hnw_queue_details",
        hnw_runs_compare: "hnw_runs_comparison",
        hnw_runs_show: "hnw_runs_details",
        hnw_train_save: "hnw_train_saved",
    };
    const ENOUGH = 0.3; // of the screen, of what is taller
    const LOOKS = 20; // what was above the answer while it was waited for goes away a little later
    const LOOK_MS = 200;
    let pressed = null;
    let shown = null;

    const speaks = (element) => Boolean(element?.offsetParent && (element.innerText.trim() || element.querySelector("img")));

    // The element to look at, once one of these has changed; nothing while a message is only taken away.
    function answer({tab, result}, changed) {
        const status = changed.find((one) => one.matches(STATUS) && tab.contains(one) && speaks(one));
        if (!status && !changed.includes(result)) return undefined;
        return speaks(result) && !status?.querySelector(".hnw-errors") ? result : status;
    }

    // Whether enough of an element is in sight, below the buttons that stay above it.
    function isInSight(element) {
        const {top, bottom} = element.getBoundingClientRect();
        const above = element.closest(".hnw-controls") ? 0 : parseFloat(getComputedStyle(element).scrollMarginTop);
        const least = Math.min(bottom - top, window.innerHeight * ENOUGH);
        return top >= above - 1 && Math.min(bottom, window.innerHeight) - top >= least - 1;
    }

    // Goes there, and looks again for a while; not after somebody has scrolled the page.
    function goTo(element) {
        const isCalm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
        let place = window.scrollY;
        let isOnTheWay = false;
        function look(looks) {
            const isStill = window.scrollY === place;
            place = window.scrollY;
            if (element !== shown || !looks || (!isStill && !isOnTheWay)) return;
            if (isStill) isOnTheWay = !isInSight(element);
            if (isStill && isOnTheWay) element.scrollIntoView({block: "nearest", behavior: isCalm ? "auto" : "smooth"});
            setTimeout(() => look(looks - 1), LOOK_MS);
        }
        look(LOOKS);
    }

    function show(changed) {
        const element = pressed && answer(pressed, changed);
        if (!element) return;
        [pressed, shown] = [null, element];
        goTo(element);
    }

    const observer = new MutationObserver((changes) => {
        if (!pressed) return;
        const elements = changes.map(({target}) => (target.nodeType === Node.ELEMENT_NODE ? target : target.parentElement));
        const changed = elements.map((one) => one?.closest(STATUS) ?? (pressed.result?.contains(one) ? pressed.result : null));
        requestAnimationFrame(() => show(changed.filter(Boolean)));
    });

    document.addEventListener("click", ({target}) => {
        const button = target.closest?.("[id^=hnw_][id$=_tab] button[id^=hnw_]");
        if (!button?.offsetParent) return; // one out of sight is pressed by a script
        const id = RESULTS[button.id];
        const result = gradioApp().querySelector(`.prose#${id}`) ?? gradioApp().querySelector(`#${id}`);
        pressed = {tab: button.closest("[id^=hnw_][id$=_tab]"), result};
    }, true);

    // Whoever goes on by themselves is not led away.
    for (const kind of ["pointerdown", "keydown", "wheel", "touchmove"]) {
        document.addEventListener(kind, () => { pressed = shown = null; }, {capture: true, passive: true});
    }
    onUiLoaded(() => observer.observe(document.body, {childList: true, characterData: true, subtree: true}));
})();
