// Ctrl+Enter presses the main button of the tab of ours that is open: that of the part where the focus is, where a tab
// has several. Elsewhere it is the WebUI's own, which generates.

(() => {
    const MAIN = "[id^=hnw_][id$=_tab] :is(button.primary, button.hnw-main)";
    const TITLE = "Ctrl+Enter presses this button";
    const inSight = (element) => element.offsetParent !== null;
    const first = (place, selector) => Array.from(place.querySelectorAll(selector)).find(inSight);

    function mainButton(tab) {
        for (let place = document.activeElement; place && tab.contains(place); place = place.parentElement) {
            const button = first(place, MAIN);
            if (button) return button;
        }
        return first(tab, MAIN);
    }

    // Before the WebUI hears of it.
    window.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
        const tab = first(gradioApp(), "[id^=hnw_][id$=_tab]");
        if (!tab) return;
        event.preventDefault();
        event.stopImmediatePropagation();
        if (!event.repeat) mainButton(tab)?.click();
    }, true);

    onUiLoaded(() => {
        for (const button of gradioApp().querySelectorAll(MAIN)) button.title = hnwTranslated(TITLE);
    });
})();
